"""Executes everything twice, the second time with other names and with junk in what is dead.

Equal states are merged because kernel code cannot tell them apart: it compares addresses and
sequence numbers for equality only, does not take them to pieces, and reads no register that
liveness calls dead and nothing below its stack pointer. Here that is not assumed but looked at,
in each transition that is executed: the same state with its tasks and heap objects in other slots,
its sequence numbers in reverse order and with equal lower halves, and junk in dead registers and
below the stack pointer has to lead to the same successors, up to names.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Final

from iopermit.kernel.state.contents import HEAP, NAMES, SEQUENCE, TASK, Component
from iopermit.kernel.state.state import State
from iopermit.system.execution import Action

if TYPE_CHECKING:
    from iopermit.kernel.execution.driver import Driver, Outcome
    from iopermit.kernel.execution.scheduling_points import SchedulingPoints
    from iopermit.kernel.state.canonical import Canonical

_FIRST_TASK: Final = TASK * NAMES
_FIRST_CPU: Final = _FIRST_TASK + NAMES
_FIRST_HEAP: Final = HEAP * NAMES
_FIRST_SEQUENCE: Final = SEQUENCE * NAMES
_APART: Final = 1 << 32
"""From one sequence number to the next in another execution: their lower halves are the same."""
_SLOTS: Final = frozenset({"child", "following"})
"""Arguments of actions that are task slots."""


class Numbers(Enum):
    """Which sequence numbers the other execution has."""

    KEPT = "kept"
    """The same."""
    APART = "apart"
    """Others in the same order, of which the lower halves are the same."""
    REVERSED = "reversed"
    """Such in reverse order."""


class OrderedSequenceNumbers(Exception):  # noqa: N818 - a limit of the search, not an error
    """Kernel code compares sequence numbers otherwise than for equality."""


class NamesMatter(Exception):  # noqa: N818 - a limit of the search, not an error
    """Kernel code tells states apart that the search takes for equal."""


class CheckedDriver:
    """A driver that notices code for which equal states are not equal."""

    def __init__(self, driver: Driver, other: Driver, canonical: Canonical) -> None:
        """Execute with two machines that start in the same state.

        Args:
            driver: executes what is asked.
            other: executes it again, with other names.
            canonical: gives the same for successors that are equal.
        """
        self.driver, self.kernel, self._canonical = driver, driver.kernel, canonical
        self._other = other
        other.kernel.share(driver.kernel)
        self.executor = driver.kernel.executor
        self.executed = 0

    def execute(self, state: State, action: Action) -> list[Outcome]:
        """Return what an action leads to, one outcome for each result of its allocations.

        Raises:
            OrderedSequenceNumbers: the order of sequence numbers makes a difference.
            NamesMatter: something else does that should make none.
        """
        outcomes = self.driver.execute(state, action)
        self.executed += 1
        wanted = self._seen(outcomes)
        numbers = self._numbers()
        if self._mirrored(state, action, slots=True, numbers=numbers, junk=True) == wanted:
            return outcomes
        apart = numbers is Numbers.KEPT or self._same(state, action, wanted, Numbers.APART)
        if apart and not self._same(state, action, wanted, numbers):
            raise OrderedSequenceNumbers
        raise NamesMatter(self._explanation(state, action, wanted, apart=apart))

    def _numbers(self) -> Numbers:
        """Return which numbers make no difference to code that compares them as it is known to."""
        if self._canonical.counter_held:
            # Code that reads the counter and adds 1 to it makes numbers that lie side by side.
            return Numbers.KEPT
        return Numbers.APART if self._canonical.ordered else Numbers.REVERSED

    def _same(
        self, state: State, action: Action, wanted: Counter[object], numbers: Numbers
    ) -> bool:
        """Return whether other sequence numbers alone make no difference."""
        return self._mirrored(state, action, slots=False, numbers=numbers) == wanted

    def _mirrored(
        self, state: State, action: Action, *, slots: bool, numbers: Numbers, junk: bool = False
    ) -> Counter[object]:
        """Return what a state leads to that differs in names only."""
        renamed = _Mirror(state, slots=slots, numbers=numbers)
        self._other.kernel.executor.junk = junk
        return self._seen(self._other.execute(renamed.state(), renamed.action(action)))

    def watch(self, points: SchedulingPoints) -> None:
        """Use other scheduling points from now on."""
        for driver in (self.driver, self._other):
            driver.kernel.executor.watch(points)

    def _seen(self, outcomes: list[Outcome]) -> Counter[object]:
        """Return what outcomes amount to, whatever the names."""
        return Counter(
            (o.crash.kind, o.crash.address) if o.crash is not None
            else None if o.state is None
            else self._canonical(o.state)
            for o in outcomes
        )  # fmt: skip

    def _explanation(
        self, state: State, action: Action, wanted: Counter[object], *, apart: bool
    ) -> str:
        """Say what makes the difference, and in which function."""
        kept = Numbers.KEPT
        junk = apart and self._mirrored(state, action, slots=True, numbers=kept) == wanted
        if not apart:
            what = "takes sequence numbers to pieces, or calculates with them"
        elif junk:
            what = "reads a register or a part of the stack that nothing was written to"
        else:
            what = "depends on where tasks and heap objects lie in memory"
        mirror = _Mirror(state, slots=apart, numbers=kept if apart else Numbers.APART)
        address = self._parting(state, action, mirror, junk=junk)
        return f"{self.kernel.name_of(address)} {what}, which iopermit cannot search"

    def _parting(self, state: State, action: Action, mirror: _Mirror, *, junk: bool) -> int:
        """Return the last instruction that both executions have in common."""
        self._other.kernel.executor.junk = junk
        one = _addresses(self.driver, state, action)
        other = _addresses(self._other, mirror.state(), mirror.action(action))
        same = 0
        while same < min(len(one), len(other)) and one[same] == other[same]:
            same += 1
        return one[max(0, same - 1)] if one else 0


def _addresses(driver: Driver, state: State, action: Action) -> list[int]:
    """Return the addresses of the instructions that an action executes."""
    found: list[int] = []
    driver.kernel.emulator.on_instruction(lambda address, _: found.append(address))
    driver.kernel.emulator.uc.ctl_flush_tb()
    driver.execute(state, action)
    return found


class _Mirror:
    """A state with its slots in reverse order, and with other sequence numbers."""

    def __init__(self, state: State, *, slots: bool, numbers: Numbers) -> None:
        self._state, self._slots = state, slots
        names: dict[int, int] = {}
        self._names = names
        self._tasks, heap = len(state.tasks), len(state.heap)
        if slots:
            for slot in range(self._tasks):
                names[_FIRST_TASK + slot] = _FIRST_TASK + self._tasks - 1 - slot
            for slot in range(heap):
                names[_FIRST_HEAP + slot] = _FIRST_HEAP + heap - 1 - slot
        self._counter = state.data[1][0]
        if numbers is not Numbers.KEPT:
            self._rename_numbers(reverse=numbers is Numbers.REVERSED)

    def _rename_numbers(self, *, reverse: bool) -> None:
        state = self._state
        data = state.data[0], state.data[1][1:]
        held = {
            named
            for component in (*state.cpus, *state.tasks, *state.heap, data)
            for named in (component[1] if component is not None else ())
            if named > _FIRST_SEQUENCE
        }
        for rank, named in enumerate(sorted(held, reverse=reverse), 1):
            self._names[named] = _FIRST_SEQUENCE + rank * _APART
        # What is taken next is new, and higher than all others.
        self._counter = _FIRST_SEQUENCE + (len(held) + 1) * _APART

    def state(self) -> State:
        state, step = self._state, -1 if self._slots else 1
        others = state.data[1][1:]
        data = state.data[0], (self._counter, *[self._names.get(n, n) for n in others])
        return State(
            tuple([self._renamed(cpu) for cpu in state.cpus]),
            tuple([None if t is None else self._renamed(t) for t in state.tasks[::step]]),
            tuple([None if h is None else self._renamed(h) for h in state.heap[::step]]),
            data,
        )

    def action(self, action: Action) -> Action:
        """Return the action on the mirrored state."""
        arguments = tuple(
            (name, self._names.get(_FIRST_TASK + value, _FIRST_TASK + value) - _FIRST_TASK)
            if name in _SLOTS
            else (name, value)
            for name, value in action.arguments
        )
        return Action(action.cpu, action.event, arguments)

    def _renamed(self, component: Component) -> Component:
        names = self._names
        return component[0], tuple([names.get(n, n) for n in component[1]])
