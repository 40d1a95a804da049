"""What a transition can reach, in names of its own: equal views lead to equal effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.search.switch_cache import Successor
from iopermit.kernel.state.contents import CPU, HEAP, NAMES, SEQUENCE, TASK, Component
from iopermit.kernel.state.state import State

if TYPE_CHECKING:
    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.state.divided import DividedCpus

_FIRST_SEQUENCE: Final = SEQUENCE * NAMES
_FIRST_HEAP: Final = HEAP * NAMES
_FIRST_CPU: Final = CPU * NAMES
_FIRST_TASK: Final = TASK * NAMES
_NO_TSS: Final[Component] = (-1, ())


@dataclass(frozen=True)
class LocalEffect:
    """The effect of an action in local names; None stands for what stays as it is."""

    cpu: Component
    tasks: tuple[Component | None, ...]
    heap: tuple[tuple[int, Component | None], ...]
    data: Component
    crash: Crash | None = None


class View:
    """What a transition can reach, with local names.

    It reaches its CPU, its tasks, the global data, and all heap objects that these refer to,
    directly or by other objects. The counter of sequence numbers has no local name: it is above
    all other numbers.

    A transition that accesses nothing of its CPU's TSS does not reach it, and nothing by it. What
    the TSS refers to counts as what others refer to.
    """

    def __init__(  # noqa: C901 - an inner loop of the search: calls would double its time
        self, state: State, cpu: int, slots: tuple[int, ...], divided: DividedCpus | None = None
    ) -> None:
        """Name the parts of `state` that CPU `cpu` and the tasks in `slots` reach.

        Args:
            state: the state.
            cpu: the CPU.
            slots: the tasks.
            divided: what takes the TSS out of the CPU; None if it is reached.
        """
        self.state, self.cpu, self.slots, self.divided = state, cpu, slots, divided
        own, self._tss = self._divide(state)
        names = self.names = {_FIRST_CPU + cpu: _FIRST_CPU}
        for number, slot in enumerate(slots):
            names[_FIRST_TASK + slot] = _FIRST_TASK + number
        heap, data = state.heap, (state.data[0], state.data[1][1:])
        parts = [own, *[state.tasks[slot] for slot in slots], data]
        heap_order: list[int] = []
        sequences: set[int] = set()
        others_cpu, others_task = 1, len(slots)
        # The list grows: heap objects that are found are looked through, too.
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
                        parts.append(heap[named - _FIRST_HEAP])
                    elif named >= _FIRST_CPU:
                        names[named] = _FIRST_CPU + others_cpu
                        others_cpu += 1
                    elif named:
                        names[named] = _FIRST_TASK + others_task
                        others_task += 1
        for rank, named in enumerate(sorted(sequences), 1):
            names[named] = _FIRST_SEQUENCE + rank
        self.sequences = len(sequences)
        self._outside(heap_order)
        self.key = (tuple([None if c is None else self.local(c) for c in parts]), self.outside)

    def _divide(self, state: State) -> tuple[Component, Component]:
        """Return what is reached of the CPU, and its TSS if that is not reached."""
        whole = state.cpus[self.cpu]
        return (whole, _NO_TSS) if self.divided is None else self.divided.divide(whole)

    def _outside(self, heap_order: list[int]) -> None:
        """Name the other heap slots, and tell what the rest of the state refers to."""
        state = self.state
        mentioned: set[int] = set(self._tss[1])
        for number, component in enumerate(state.cpus):
            if number != self.cpu:
                mentioned.update(component[1])
        for number, task in enumerate(state.tasks):
            if task is not None and number not in self.slots:
                mentioned.update(task[1])
        for slot, used in enumerate(state.heap):
            if used is not None and _FIRST_HEAP + slot not in self.names:
                mentioned.update(used[1])
        statuses = []
        for slot in range(len(state.heap)):
            if _FIRST_HEAP + slot not in self.names:
                used = state.heap[slot]
                status = 0 if used is not None else 1 if _FIRST_HEAP + slot in mentioned else 2
                statuses.append((status, slot))
        statuses.sort()
        shared = tuple([_FIRST_HEAP + slot in mentioned for slot in heap_order])
        for _, slot in statuses:
            self.names[_FIRST_HEAP + slot] = _FIRST_HEAP + len(heap_order)
            heap_order.append(slot)
        self.heap_order = heap_order
        self.outside = (shared, tuple([status for status, _ in statuses]))

    def local(self, component: Component) -> Component:
        """Return a component in local names."""
        names = self.names
        return component[0], tuple([names.get(n, n) for n in component[1]])

    def localise(self, outcome: Outcome) -> LocalEffect:
        """Return the effect of an action in local names."""
        state = outcome.state
        if state is None:
            return LocalEffect((0, ()), (), (), (0, ()), outcome.crash)
        self._name_new_numbers(state)
        heap = tuple(
            (local, None if used is None else self.local(used))
            for local, slot in enumerate(self.heap_order)
            if (used := state.heap[slot]) != self.state.heap[slot]
        )
        tasks = tuple(
            None if (task := state.tasks[slot]) is None else self.local(task) for slot in self.slots
        )
        data = self.local((state.data[0], state.data[1][1:]))
        own, tss = self._divide(state)
        assert tss == self._tss  # it was not accessed
        return LocalEffect(self.local(own), tasks, heap, data)

    def _name_new_numbers(self, after: State) -> None:
        """Name the sequence numbers that the transition took: they are above the counter."""
        names, counter = self.names, self.state.data[1][0]
        for component in (after.cpus[self.cpu], *after.tasks, *after.heap, after.data):
            for named in component[1] if component is not None else ():
                if named > counter and named not in names:
                    names[named] = _FIRST_SEQUENCE + self.sequences + named - counter

    def globalise(self, effects: list[LocalEffect]) -> list[Successor]:
        """Return what an action with known effects leads to from this view's state."""
        state = self.state
        originals = {local: named for named, local in self.names.items()}
        counter = state.data[1][0]
        above = counter - self.sequences - _FIRST_SEQUENCE

        def rename(component: Component) -> Component:
            return component[0], tuple(
                [
                    originals[n] if n in originals else n + above if n > _FIRST_SEQUENCE else n
                    for n in component[1]
                ]
            )

        successors = []
        for effect in effects:
            if effect.crash is not None:
                successors.append(Successor(None, effect.crash))
                continue
            cpus, tasks, heap = list(state.cpus), list(state.tasks), list(state.heap)
            own = rename(effect.cpu)
            cpus[self.cpu] = own if self.divided is None else self.divided.join(own, self._tss)
            for slot, task in zip(self.slots, effect.tasks, strict=True):
                tasks[slot] = None if task is None else rename(task)
            for local, used in effect.heap:
                heap[self.heap_order[local]] = None if used is None else rename(used)
            # The counter is not moved on: the canonical representative does that.
            number, names = rename(effect.data)
            data = number, (counter, *names)
            successors.append(Successor(State(tuple(cpus), tuple(tasks), tuple(heap), data)))
        return successors
