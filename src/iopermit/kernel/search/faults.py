"""Tells the faults of a tree apart, so that those of another version of it are known again.

A patch moves lines and changes addresses. What stays is in which statements tasks stand where
the violation shows, and which events it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from iopermit.kernel.cpu.crashes import Crash
from iopermit.kernel.cpu.registers import RIP
from iopermit.kernel.state.contents import TASK, name
from iopermit.kernel.state.state import TaskMode
from iopermit.system.specification import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.image.lines import Lines
    from iopermit.kernel.state.state import State
    from iopermit.system.execution import Action

Wrong: TypeAlias = Finding | Crash
"""What the specification forbids in a state, or how the kernel crashes."""
Statement: TypeAlias = tuple[str, str]
"""Function and text of a line of C: what a patch elsewhere in the file leaves as it is."""


@dataclass(frozen=True)
class TreeFault:
    """A fault, in words that hold for a tree with and without a patch.

    Attributes:
        kind: the kind of the violation.
        where: the statements at which tasks are stopped in the kernel, and where it crashes; of a
            broken rule its text.
        events: the events on a shortest way to it.
    """

    kind: str
    where: tuple[Statement, ...]
    events: frozenset[str]

    def saved(self) -> list[Any]:
        """Return it as JSON can hold it, in one order."""
        return [self.kind, [list(statement) for statement in self.where], sorted(self.events)]

    @classmethod
    def from_saved(cls, saved: Sequence[Any]) -> Self:
        """Return what `saved` returned."""
        kind, where, events = saved
        return cls(kind, tuple((function, text) for function, text in where), frozenset(events))

    def explains(self, other: TreeFault) -> bool:
        """Return whether another fault is this one: the same kind and place, by no fewer events.

        A fault that fewer events lead to is another one: it needs no preemption, for example.
        """
        same = (self.kind, self.where) == (other.kind, other.where)
        return same and self.events <= other.events


class FaultsOfTree:
    """The faults that a search meets; those that are known end a schedule, and no search."""

    def __init__(
        self, lines: Lines, known: Collection[TreeFault] = (), *, every: bool = False
    ) -> None:
        """Prepare a search.

        Args:
            lines: the line tables of the tree.
            known: faults after which the search goes on.
            every: whether it goes on after any fault.
        """
        self._lines, self._known, self._every = lines, tuple(known), every
        self.met: set[TreeFault] = set()

    def is_passed(self, fault: TreeFault) -> bool:
        """Note a fault; return whether the search goes on with other schedules."""
        self.met.add(fault)
        return self._every or any(one.explains(fault) for one in self._known)

    def fault(
        self, wrong: Wrong, kernel: EmulatedKernel, state: State, actions: Iterable[Action]
    ) -> TreeFault:
        """Return the fault that a state shows, or that a crash is after the last state before it.

        Args:
            wrong: what is wrong in the state, or the crash.
            kernel: the machine.
            state: the state.
            actions: what led to it.
        """
        events = frozenset(action.event for action in actions if not action.is_step)
        stopped = self._stopped(kernel, state)
        if isinstance(wrong, Finding):
            return TreeFault(wrong.kind, tuple(stopped), events)
        function = kernel.emulator.image.function_at(wrong.address)
        outside = (function.name if function is not None else "", "")
        return TreeFault("crash", (self._statement(wrong.address, outside), *stopped), events)

    def _stopped(self, kernel: EmulatedKernel, state: State) -> list[Statement]:
        """Return the statements at which tasks are stopped in system calls, in a fixed order."""
        found = []
        for slot, task in enumerate(state.tasks):
            if task is None or kernel.task_meta(task).mode is not TaskMode.KERNEL:
                continue
            address = kernel.memory.registers(task, name(TASK, slot))[RIP]
            found.append(self._statement(address, ("", "")))
        return sorted(found)

    def _statement(self, address: int, outside: Statement) -> Statement:
        site = self._lines.site(address)
        return outside if site is None else (site.function, " ".join(site.text.split()))
