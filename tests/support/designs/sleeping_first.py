"""Designs of kernels that are not preemptible, and give the CPU up before they call a hook."""

from __future__ import annotations

from typing import Final

from tests.support.designs import sleeping
from tests.support.designs.sleeping import Frugal

from iopermit.system.design import EPERM, Own
from iopermit.system.machine_state import Cpu, Task
from iopermit.system.records import NULL, HeapObject, Ref


class Mark(HeapObject):
    """What is never there."""

    seen: bool = False


class Resumed(Frugal):
    """Nobody has a port. Notes whether the task has come to run again, but not yet in user mode."""

    id = "resumed"

    class Globals(sleeping.Frugal.Globals):
        """What a single CPU keeps."""

        resumed: bool = False
        nothing: Ref[Mark] = NULL

    def ioperm(self, cpu: Cpu, task: Own, ports: Own, turn_on: bool) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Own, following: Own) -> None:
        """Note that the next task was not in user mode since."""
        self.globals.resumed = True

    def return_to_user(self, cpu: Cpu, task: Task) -> None:
        """Note that it is."""
        self.globals.resumed = False

    def exit(self, cpu: Cpu, task: Own) -> None:
        """Give nothing up."""

    def trust(self) -> None:
        """Crash if the task has slept in this call."""
        if self.globals.resumed:
            nothing = self.globals.nothing
            nothing.seen = True


class TrustsInFork(Resumed):
    """copy_thread() takes for granted that the task has just been in user mode."""

    id = "trusts-in-fork"

    def fork(self, cpu: Cpu, task: Own, child: Own) -> int:
        """Crash if it has not."""
        self.trust()
        return 0


class TrustsInEarlyFailure(Resumed):
    """The same where a fork fails before copy_thread()."""

    id = "trusts-in-early-failure"

    def fork_failed_early(self, cpu: Cpu, task: Own, child: Own) -> None:
        """Crash if it has not."""
        self.trust()


class TrustsInExec(Resumed):
    """The same in flush_thread()."""

    id = "trusts-in-exec"

    def execve(self, cpu: Cpu, task: Own) -> None:
        """Crash if it has not."""
        self.trust()


class TrustsInExit(Resumed):
    """The same in exit_thread()."""

    id = "trusts-in-exit"

    def exit(self, cpu: Cpu, task: Own) -> None:
        """Crash if it has not."""
        self.trust()


class TrustsInRead(Resumed):
    """The same where another task's map is read."""

    id = "trusts-in-read"

    def read_map(self, cpu: Cpu, task: Own, target: Own) -> None:
        """Crash if it has not."""
        self.trust()


TRUSTING: Final = (
    TrustsInFork,
    TrustsInEarlyFailure,
    TrustsInExec,
    TrustsInExit,
    TrustsInRead,
)
"""Designs that are wrong because a task can sleep before a hook, each in another hook."""
