"""The commands that the guest's first process carries out, and the file they are given in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNPRIVILEGED: Final = 1000
"""User id of tasks without capabilities."""
HARMLESS_PORTS: Final = ((0x80, 1), (0x71, 1), (0xCF8, 4))
"""Ports that the guest reads, with the width of the access; in the order of `ports` in init.c."""
MOST_TASKS: Final = 8
MOST_COMMANDS: Final = 64
"""For how many init.c has room."""
ATTEMPTS: Final = 10
"""How often a guest repeats the schedule; the first time shows the debugger the way."""


@dataclass(frozen=True)
class GuestTask:
    """A task of the guest, at the start of every attempt."""

    name: str
    cpu: int = 0
    priority: int = 1
    """Its priority in SCHED_FIFO: only a higher one preempts it, none of the kernel's threads."""
    privileged: bool = True
    """Whether it is root; if not, it has no capability."""


@dataclass(frozen=True)
class GuestCommand:
    """What one task does; the commands of a schedule are in its order."""

    what: str
    """A name that `carry_out()` in init.c knows."""
    task: str
    after: int | None = None
    """The command (by its index) that has to be complete before this one starts."""
    timed: bool = False
    """Whether it starts when the timer expires that the command ``arm`` set, whatever runs then."""
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True)
class LeftAlone:
    """A guest whose tasks are left alone, and which counts how often the fault shows."""

    attempts: int
    ports: int
    """Which of `HARMLESS_PORTS` are wrong: a bit for each."""
    leak: bool
    """Whether these are wrong if they can be read; else if they cannot."""


@dataclass(frozen=True)
class GuestProgram:
    """All that a guest does."""

    tasks: tuple[GuestTask, ...]
    commands: tuple[GuestCommand, ...]
    symbols: tuple[str, ...]
    """Symbols of the kernel whose addresses it tells, and of the neighbours of the first."""
    attempts: int = ATTEMPTS
    alone: LeftAlone | None = None

    @property
    def text(self) -> str:
        """The file with the commands."""
        lines = [f"symbol {symbol}" for symbol in self.symbols]
        lines.append(f"attempts {self.attempts}")
        if self.alone is not None:
            lines.append(f"free {self.alone.attempts} {self.alone.ports} {int(self.alone.leak)}")
        for task in self.tasks:
            user = 0 if task.privileged else UNPRIVILEGED
            lines.append(f"task {task.name} {task.cpu} {task.priority} {user}")
        for command in self.commands:
            after = -1 if command.after is None else command.after
            words = (command.what, command.task, after, int(command.timed), *command.arguments)
            lines.append(" ".join(map(str, words)))
        return "".join(f"{line}\n" for line in lines)
