"""Names of slots and numbers that mean the same: one state stands for all that differ in names.

Soundness is argued in docs/kernel-trees.md.
"""

from __future__ import annotations

import itertools

from iopermit.kernel.contents import CPU, HEAP, NAMES, SEQUENCE, TASK, Component, name
from iopermit.kernel.state import State

Renaming = dict[int, int]
_COUNTER = name(SEQUENCE, 0)
_FIRST_HEAP = name(HEAP, 0)


class Canonical:
    """Chooses the state that stands for its equivalents."""

    def __init__(self, *, symmetric_cpus: bool) -> None:
        """Permute tasks; CPUs too if `symmetric_cpus`."""
        self.symmetric_cpus = symmetric_cpus

    def __call__(self, state: State) -> State:
        """Return the representative of a state."""
        return self.with_renaming(state)[0]

    def with_renaming(self, state: State) -> tuple[State, Renaming]:
        """Return the representative, and the new names of tasks and CPUs."""
        best: State | None = None
        best_key: object = None
        chosen: Renaming = {}
        for cpus, tasks in self._orders(state):
            names: Renaming = {}
            names.update((name(CPU, old), name(CPU, new)) for new, old in enumerate(cpus))
            names.update((name(TASK, old), name(TASK, new)) for new, old in enumerate(tasks))
            renamed = _renamed(state, cpus, tasks, names)
            key = _key(renamed)
            if best is None or key < best_key:  # type: ignore[operator]
                best, best_key, chosen = renamed, key, names
        assert best is not None  # noqa: S101 - there is at least one order
        return best, chosen

    def _orders(self, state: State) -> list[tuple[list[int], list[int]]]:
        """Return the orders of CPUs and tasks, equal contents in every order."""
        cpus = [component[0] for component in state.cpus]
        tasks = [-1 if task is None else task[0] for task in state.tasks]
        cpu_orders = _sorted_orders(cpus) if self.symmetric_cpus else [list(range(len(cpus)))]
        return list(itertools.product(cpu_orders, _sorted_orders(tasks)))


def _sorted_orders(numbers: list[int]) -> list[list[int]]:
    """Return the permutations that sort `numbers`: several where some are equal."""
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    groups = [list(g) for _, g in itertools.groupby(order, key=numbers.__getitem__)]
    if len(groups) == len(order):
        return [order]
    parts = [[list(p) for p in itertools.permutations(group)] for group in groups]
    return [list(itertools.chain(*chosen)) for chosen in itertools.product(*parts)]


def _renamed(state: State, cpus: list[int], tasks: list[int], names: Renaming) -> State:
    """Return a state with CPUs and tasks in another order; heap slots by first mention."""
    heap_order: list[int] = []

    highest = _COUNTER

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

    new_cpus = tuple(rename(state.cpus[old]) for old in cpus)
    new_tasks = tuple(
        None if state.tasks[old] is None else rename(state.tasks[old])  # type: ignore[arg-type]
        for old in tasks
    )
    heap = []
    for old in heap_order:
        used = state.heap[old]
        heap.append(None if used is None else rename(used))
    mentioned = set(heap_order)
    rest = [state.heap[old] for old in range(len(state.heap)) if old not in mentioned]
    heap += [None if used is None else rename(used) for used in rest if used is not None]
    heap += [None] * (len(state.heap) - len(heap))
    counted = tuple([highest if n >= _COUNTER else names.get(n, n) for n in state.data[1]])
    data = state.data[0], counted
    return State(new_cpus, new_tasks, tuple(heap), data)


def _key(state: State) -> tuple[object, ...]:
    """Return something that can be compared with the same of another state."""
    return (
        state.cpus,
        tuple(() if task is None else task for task in state.tasks),
        tuple(() if used is None else used for used in state.heap),
    )
