"""Executes each segment once: what it does depends only on what its CPU and tasks can reach.

The key of a segment is its action with the components that it can reach, renamed locally: the CPU,
its task, a second task that the action is about, the heap objects that these refer to, and of every
other heap slot whether it is in use, dangling or free. A segment that is seen to access anything
else is not remembered by this key (`Outcome.foreign`), but by the whole state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.search.switches import Step, Switches
from iopermit.kernel.state.contents import CPU, HEAP, NAMES, SEQUENCE, TASK, Component
from iopermit.kernel.state.state import State, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.execution.crashes import Crash
    from iopermit.kernel.execution.driver import Driver, Outcome
    from iopermit.kernel.search.rules import Move
    from iopermit.system.execution import Action

_FIRST_SEQUENCE: Final = SEQUENCE * NAMES
_FIRST_HEAP: Final = HEAP * NAMES
_FIRST_CPU: Final = CPU * NAMES
_FIRST_TASK: Final = TASK * NAMES
_COUNTER: Final = 0
"""Local name of a sequence number in the global data: the counter, above every other."""


@dataclass(frozen=True)
class _Local:
    """The effect of an action in local names; None stands for what stays as it is."""

    cpu: Component
    tasks: tuple[Component | None, ...]
    heap: tuple[tuple[int, Component | None], ...]
    data: Component
    crash: Crash | None = None


class View:
    """What a segment can reach, with local names."""

    def __init__(  # noqa: C901, PLR0912 - an inner loop of the search: calls would double its time
        self, state: State, cpu: int, slots: tuple[int, ...]
    ) -> None:
        """Name the parts of `state` that CPU `cpu` and the tasks in `slots` reach."""
        self.state, self.cpu, self.slots = state, cpu, slots
        names = self.names = {_FIRST_CPU + cpu: _FIRST_CPU}
        for number, slot in enumerate(slots):
            names[_FIRST_TASK + slot] = _FIRST_TASK + number
        parts = [state.cpus[cpu], *[state.tasks[slot] for slot in slots]]
        heap_order: list[int] = []
        sequences: set[int] = set()
        others_cpu, others_task = 1, len(slots)
        for component in parts:
            if component is None:
                continue
            for named in component[1]:
                if named >= _FIRST_SEQUENCE:
                    sequences.add(named)
                elif named not in names:
                    if named >= _FIRST_HEAP:
                        names[named] = _FIRST_HEAP + len(heap_order)
                        heap_order.append(named - _FIRST_HEAP)
                    elif named >= _FIRST_CPU:
                        names[named] = _FIRST_CPU + others_cpu
                        others_cpu += 1
                    elif named:
                        names[named] = _FIRST_TASK + others_task
                        others_task += 1
        heap = state.heap
        reached = [heap[slot] for slot in heap_order]
        for component in reached:
            if component is not None:
                for named in component[1]:
                    if named >= _FIRST_SEQUENCE:
                        sequences.add(named)
        for rank, named in enumerate(sorted(sequences), 1):
            names[named] = _FIRST_SEQUENCE + rank
        self.sequences = len(sequences)
        self._outside(heap_order)
        self.key = (
            tuple([None if c is None else self.local(c) for c in parts]),
            tuple([None if c is None else self.local(c) for c in reached]),
            self.outside,
            state.data[0],
        )

    def _outside(self, heap_order: list[int]) -> None:
        """Name the other heap slots, and tell what the rest of the state refers to."""
        state = self.state
        mentioned: set[int] = set()
        for number, component in enumerate(state.cpus):
            if number != self.cpu:
                mentioned.update(component[1])
        for number, task in enumerate(state.tasks):
            if task is not None and number not in self.slots:
                mentioned.update(task[1])
        statuses = []
        for slot in range(len(state.heap)):
            if _FIRST_HEAP + slot not in self.names:
                used = state.heap[slot] is not None
                status = 0 if used else 1 if _FIRST_HEAP + slot in mentioned else 2
                statuses.append((status, slot))
        statuses.sort()
        shared = tuple([_FIRST_HEAP + slot in mentioned for slot in heap_order])
        for _, slot in statuses:
            self.names[_FIRST_HEAP + slot] = _FIRST_HEAP + len(heap_order)
            heap_order.append(slot)
        self.heap_order = heap_order
        self.outside = (shared, tuple([status for status, _ in statuses]))

    def reverse(self) -> None:
        """Let the local names of sequence numbers count downwards."""
        for named, local in self.names.items():
            if named >= _FIRST_SEQUENCE:
                self.names[named] = 2 * _FIRST_SEQUENCE + self.sequences + 1 - local

    def local(self, component: Component) -> Component:
        """Return a component in local names."""
        names = self.names
        return component[0], tuple([names.get(n, n) for n in component[1]])

    def localise(self, outcome: Outcome) -> _Local:
        """Return the effect of an action in local names."""
        state = outcome.state
        if state is None:
            return _Local((0, ()), (), (), (0, ()), outcome.crash)
        names = self.names
        counter = next((n for n in self.state.data[1] if n >= _FIRST_SEQUENCE), _FIRST_SEQUENCE)
        for component in (state.cpus[self.cpu], *state.tasks, *state.heap):
            for named in component[1] if component is not None else ():
                if named > counter and named not in names:
                    names[named] = _FIRST_SEQUENCE + self.sequences + named - counter
        heap = tuple(
            (local, None if used is None else self.local(used))
            for local, slot in enumerate(self.heap_order)
            if (used := state.heap[slot]) != self.state.heap[slot]
        )
        tasks = tuple(
            None if (task := state.tasks[slot]) is None else self.local(task) for slot in self.slots
        )
        data = (
            state.data[0],
            tuple([_COUNTER if n >= _FIRST_SEQUENCE else n for n in state.data[1]]),
        )
        return _Local(self.local(state.cpus[self.cpu]), tasks, heap, data)

    def globalise(self, effects: list[_Local]) -> list[Step]:
        """Return what an action with known effects leads to from this view's state."""
        state = self.state
        back = {local: named for named, local in self.names.items()}
        counter = next((n for n in state.data[1] if n >= _FIRST_SEQUENCE), _FIRST_SEQUENCE)
        above = counter - self.sequences - _FIRST_SEQUENCE

        def rename(component: Component) -> Component:
            return component[0], tuple(
                [
                    back[n] if n in back else n + above if n > _FIRST_SEQUENCE else n
                    for n in component[1]
                ]
            )

        steps = []
        for effect in effects:
            if effect.crash is not None:
                steps.append(Step(None, effect.crash))
                continue
            cpus, tasks, heap = list(state.cpus), list(state.tasks), list(state.heap)
            cpus[self.cpu] = rename(effect.cpu)
            for slot, task in zip(self.slots, effect.tasks, strict=True):
                tasks[slot] = None if task is None else rename(task)
            for local, used in effect.heap:
                heap[self.heap_order[local]] = None if used is None else rename(used)
            data = effect.data[0], tuple([counter if n == _COUNTER else n for n in effect.data[1]])
            steps.append(Step(State(tuple(cpus), tuple(tasks), tuple(heap), data)))
        return steps


class OrderedSequenceNumbers(Exception):  # noqa: N818 - a limit of the search, not an error
    """Kernel code compares sequence numbers otherwise than for equality."""


class _Unknown:
    """Stands for what was not executed yet."""


_UNKNOWN: Final = _Unknown()


class Memo:
    """Remembers what actions lead to."""

    def __init__(self, driver: Driver) -> None:
        """Execute with `driver` what is not known yet."""
        self.driver = driver
        self._known: dict[object, list[_Local] | None] = {}
        self._foreign: dict[tuple[State, Action], list[Step]] = {}
        self.executed = 0
        self.ordered = False
        """Whether sequence numbers keep their order anyway."""
        self.switches = Switches(driver)

    def clear(self) -> None:
        """Forget everything: other points are used from now on."""
        self._known.clear()
        self._foreign.clear()
        self.switches.clear()

    def steps(self, state: State, move: Move, views: dict[object, View]) -> list[Step]:
        """Return what an action leads to, in a list with one item for each outcome.

        Args:
            state: the state.
            move: the action.
            views: views of this state that were made already; new ones are added.
        """
        driver, action = self.driver, move.action
        if move.is_switch:
            step = self.switches.step(state, move)
            self.executed += self.switches.executed
            self.switches.executed = 0
            if step is not None:
                return [step]
        slots = self._slots(state, move)
        view = views.get((action.cpu, slots))
        if view is None:
            view = views[action.cpu, slots] = View(state, action.cpu, slots)
        key = (view.key, move.key, move.target < 0)
        effects = self._known.get(key, _UNKNOWN)
        if effects is None:
            return self._execute_foreign(state, action)
        if not isinstance(effects, _Unknown):
            return view.globalise(effects)
        outcomes = driver.execute(state, action)
        self.executed += 1
        if any(outcome.foreign for outcome in outcomes):
            self._known[key] = None
        else:
            view = View(state, action.cpu, slots)
            self._known[key] = [view.localise(outcome) for outcome in outcomes]
            if (
                view.sequences > 1
                and not self.ordered
                and not self._same_in_reverse(state, action, slots, key)
            ):
                raise OrderedSequenceNumbers
        return [Step(o.state, o.crash) for o in outcomes]

    def _same_in_reverse(
        self, state: State, action: Action, slots: tuple[int, ...], key: object
    ) -> bool:
        """Return whether a segment does the same with its sequence numbers in reverse order.

        Renaming them by first mention is sound only if code tests them for nothing but equality.
        """
        counter = next((n for n in state.data[1] if n >= _FIRST_SEQUENCE), _FIRST_SEQUENCE)
        reversed_state = _reversed(state, counter)
        view = View(reversed_state, action.cpu, slots)
        view.reverse()
        effects = [view.localise(o) for o in self.driver.execute(reversed_state, action)]
        return effects == self._known[key]

    def _execute_foreign(self, state: State, action: Action) -> list[Step]:
        if (state, action) not in self._foreign:
            outcomes = self.driver.execute(state, action)
            self._foreign[state, action] = [Step(o.state, o.crash) for o in outcomes]
        return self._foreign[state, action]

    def _slots(self, state: State, move: Move) -> tuple[int, ...]:
        """Return the tasks that an action is about, the current one first."""
        names = state.cpus[move.cpu][1]
        slot = slot_of(names[0])
        slots = () if slot is None else (slot,)
        if move.target >= 0:
            return (*slots, move.target)
        if not move.is_step:
            return slots
        if self.driver.cpu_meta(state, move.cpu).switching:
            following = slot_of(names[1])
            return slots if following is None else (*slots, following)
        task = None if slot is None else state.tasks[slot]
        if task is None:
            return slots
        leading = self.driver.contents[task[0]].leading
        return (*slots, *[n % NAMES for n in task[1][:leading]])


def _reversed(state: State, counter: int) -> State:
    """Return a state with the sequence numbers up to the counter in reverse order."""

    def rename(component: Component | None) -> Component | None:
        if component is None:
            return None
        return component[0], tuple(
            [_FIRST_SEQUENCE + 1 + counter - n if n > _FIRST_SEQUENCE else n for n in component[1]]
        )

    return State(
        tuple([rename(one) for one in state.cpus]),  # type: ignore[misc]
        tuple([rename(one) for one in state.tasks]),
        tuple([rename(one) for one in state.heap]),
        state.data,
    )


__all__ = ["Memo", "OrderedSequenceNumbers", "Step", "View"]
