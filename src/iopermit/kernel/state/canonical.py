"""Names of slots and numbers that mean the same: one state stands for all that differ in names.

Soundness is argued in docs/kernel-trees.md.
"""

from __future__ import annotations

import itertools
from typing import Final

from iopermit.kernel.state.contents import CPU, HEAP, NAMES, SEQUENCE, TASK, Component
from iopermit.kernel.state.state import State

Renaming = dict[int, int]
_FIRST_TASK: Final = TASK * NAMES
_FIRST_CPU: Final = CPU * NAMES
_FIRST_HEAP: Final = HEAP * NAMES
_COUNTER: Final = SEQUENCE * NAMES


class Canonical:
    """Chooses the state that stands for its equivalents."""

    def __init__(self, *, symmetric_cpus: bool) -> None:
        """Permute tasks; CPUs too if `symmetric_cpus`."""
        self.symmetric_cpus = symmetric_cpus
        self.ordered = False
        """Whether sequence numbers keep their order: the kernel's code compares them by it."""
        self.counter_held = False
        """Whether the counter is one of them: the code looks at it."""
        self._orders: dict[tuple[int, ...], list[tuple[int, ...]]] = {}

    def __call__(self, state: State) -> State:
        """Return the representative of a state."""
        cpus = tuple([component[0] for component in state.cpus])
        tasks = tuple([-1 if task is None else task[0] for task in state.tasks])
        cpu_orders = self._sorted(cpus) if self.symmetric_cpus else [tuple(range(len(cpus)))]
        task_orders = self._sorted(tasks)
        how = self.ordered, self.counter_held
        if len(cpu_orders) == 1 and len(task_orders) == 1:
            return renamed(state, cpu_orders[0], task_orders[0], *how)
        # Equal contents: every order of them, and of the results the least.
        orders = itertools.product(cpu_orders, task_orders)
        candidates = [renamed(state, c, t, *how) for c, t in orders]
        return min(candidates, key=_key)

    def _sorted(self, numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the permutations that sort `numbers`: several where some are equal."""
        known = self._orders.get(numbers)
        if known is None:
            order = sorted(range(len(numbers)), key=numbers.__getitem__)
            groups = [list(g) for _, g in itertools.groupby(order, key=numbers.__getitem__)]
            parts = [list(itertools.permutations(group)) for group in groups]
            known = [tuple(itertools.chain(*chosen)) for chosen in itertools.product(*parts)]
            self._orders[numbers] = known
        return known


def renamed(  # noqa: C901 - the innermost loop of the search: calls would take half of its time
    state: State,
    cpus: tuple[int, ...],
    tasks: tuple[int, ...],
    ordered: bool = False,  # noqa: FBT001, FBT002 - of the innermost loop
    counter_held: bool = False,  # noqa: FBT001, FBT002 - as above
) -> State:
    """Return a state with CPUs and tasks in another order.

    Heap slots and sequence numbers are numbered as they are mentioned first: addresses and
    sequence numbers are compared for equality only, so any renaming that keeps them apart will do.
    If they are `ordered`, they are numbered by rank; the counter too if it is `counter_held`:
    kernel code looks at it otherwise than by taking the next number.
    """
    names: Renaming = _ranks(state, counter_held) if ordered else {}
    highest = _COUNTER + len(names)
    for new, old in enumerate(cpus):
        names[_FIRST_CPU + old] = _FIRST_CPU + new
    for new, old in enumerate(tasks):
        names[_FIRST_TASK + old] = _FIRST_TASK + new
    heap_order: list[int] = []

    def rename(component: Component) -> Component:
        nonlocal highest
        refs = component[1]
        if not refs:
            return component
        result = []
        for named in refs:
            new = names.get(named)
            if new is None:
                if named > _COUNTER:
                    highest += 1
                    new = names[named] = highest
                elif _FIRST_HEAP <= named < _COUNTER:
                    new = names[named] = _FIRST_HEAP + len(heap_order)
                    heap_order.append(named - _FIRST_HEAP)
                else:
                    new = named
            result.append(new)
        return component[0], tuple(result)

    old_cpus, old_tasks, old_heap, data = state
    new_cpus = tuple([rename(old_cpus[old]) for old in cpus])
    new_tasks = tuple([None if (task := old_tasks[old]) is None else rename(task) for old in tasks])
    new_data = rename((data[0], data[1][1:]))
    heap: list[Component | None] = []
    for old in heap_order:
        used = old_heap[old]
        heap.append(None if used is None else rename(used))
    if len(heap_order) < len(old_heap):
        # Objects that nothing mentions: garbage, which ends the search.
        heap += [
            rename(used)
            for old, used in enumerate(old_heap)
            if used is not None and old not in heap_order
        ]
        heap += [None] * (len(old_heap) - len(heap))
    # The counter is as high as the highest number in use: what it gives out next is new.
    counter = highest if not counter_held else names.get(data[1][0], data[1][0])
    return State(new_cpus, new_tasks, tuple(heap), (new_data[0], (counter, *new_data[1])))


def _ranks(state: State, counter_held: bool) -> Renaming:  # noqa: FBT001 - of the innermost loop
    """Return new numbers for the sequence numbers that something holds: their rank."""
    data = state.data[0], state.data[1] if counter_held else state.data[1][1:]
    held = {
        named
        for component in (*state.cpus, *state.tasks, *state.heap, data)
        if component is not None
        for named in component[1]
        if named > _COUNTER
    }
    return {old: _COUNTER + rank for rank, old in enumerate(sorted(held), 1)}


def _key(state: State) -> tuple[object, ...]:
    """Return something that can be compared with the same of another state."""
    return (
        state.cpus,
        tuple([() if task is None else task for task in state.tasks]),
        tuple([() if used is None else used for used in state.heap]),
        state.data,
    )
