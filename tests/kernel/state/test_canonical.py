"""The canonical representative: the same for states that differ in names, and for no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iopermit.kernel.state.canonical import Canonical
from iopermit.kernel.state.contents import CPU, HEAP, SEQUENCE, TASK, Component, name
from iopermit.kernel.state.state import State

CPUS, TASKS, OBJECTS, NUMBERS = 2, 3, 3, 4
NAMED = st.one_of(
    st.integers(0, CPUS - 1).map(lambda n: name(CPU, n)),
    st.integers(0, TASKS - 1).map(lambda n: name(TASK, n)),
    st.integers(0, OBJECTS - 1).map(lambda n: name(HEAP, n)),
    st.integers(1, NUMBERS).map(lambda n: name(SEQUENCE, n)),
)
COMPONENTS = st.tuples(st.integers(0, 1), st.lists(NAMED, max_size=3).map(tuple))


@st.composite
def states(draw: st.DrawFn) -> State:
    """Give a state in which something refers to every heap object."""
    every = tuple(name(HEAP, slot) for slot in range(OBJECTS))
    first, names = draw(COMPONENTS)
    cpus = (first, (*names, *every)), *[draw(COMPONENTS) for _ in range(CPUS - 1)]
    tasks = tuple(draw(st.one_of(st.none(), COMPONENTS)) for _ in range(TASKS))
    heap = tuple(draw(COMPONENTS) for _ in range(OBJECTS))
    number, others = draw(COMPONENTS)
    return State(cpus, tasks, heap, (number, (name(SEQUENCE, NUMBERS), *others)))


def permuted(state: State, cpus: list[int], tasks: list[int], heap: list[int]) -> State:
    """Return a state with its slots in another order: slot n becomes slot cpus[n] and so on."""
    names = {name(CPU, old): name(CPU, new) for old, new in enumerate(cpus)}
    names |= {name(TASK, old): name(TASK, new) for old, new in enumerate(tasks)}
    names |= {name(HEAP, old): name(HEAP, new) for old, new in enumerate(heap)}

    def renamed(component: Component) -> Component:
        return component[0], tuple(names.get(n, n) for n in component[1])

    def moved(before: tuple[Component | None, ...], order: list[int]) -> list[Component | None]:
        after: list[Component | None] = [None] * len(before)
        for old, new in enumerate(order):
            component = before[old]
            after[new] = None if component is None else renamed(component)
        return after

    new_cpus = tuple(c for c in moved(state.cpus, cpus) if c is not None)
    new_tasks, new_heap = moved(state.tasks, tasks), moved(state.heap, heap)
    return State(new_cpus, tuple(new_tasks), tuple(new_heap), renamed(state.data))


ORDERS = st.tuples(
    st.permutations(range(CPUS)), st.permutations(range(TASKS)), st.permutations(range(OBJECTS))
)


@given(states(), ORDERS)
def test_states_that_differ_in_the_order_of_slots_have_one_representative(
    state: State, orders: tuple[list[int], list[int], list[int]]
) -> None:
    """No order of CPUs, tasks and heap slots changes it, names in global data included."""
    canonical = Canonical(symmetric_cpus=True)
    assert canonical(permuted(state, *orders)) == canonical(state)


@given(states())
def test_a_representative_stands_for_itself(state: State) -> None:
    """The representative of a representative is the same."""
    canonical = Canonical(symmetric_cpus=True)
    assert canonical(canonical(state)) == canonical(state)


@given(states(), st.permutations(range(1, NUMBERS + 1)))
def test_sequence_numbers_have_no_order_unless_code_looks_at_it(
    state: State, order: list[int]
) -> None:
    """Renumbering what is held changes nothing, unless numbers keep their order."""
    names = {name(SEQUENCE, old): name(SEQUENCE, new) for old, new in enumerate(order, 1)}

    def renumbered(component: Component) -> Component:
        return component[0], tuple(names.get(n, n) for n in component[1])

    counter, *others = state.data[1]
    other = State(
        tuple(renumbered(cpu) for cpu in state.cpus),
        tuple(None if task is None else renumbered(task) for task in state.tasks),
        tuple(None if used is None else renumbered(used) for used in state.heap),
        (state.data[0], (counter, *renumbered((0, tuple(others)))[1])),
    )
    canonical = Canonical(symmetric_cpus=False)
    assert canonical(other) == canonical(state)


def number_and_counter(held: int, counter: int) -> State:
    """Return a state in which a task holds a sequence number."""
    task = (0, (name(SEQUENCE, held),))
    return State(((0, ()),), (task,), (), (0, (name(SEQUENCE, counter),)))


def test_the_counter_is_the_highest_number_that_something_holds() -> None:
    """However far the counter is ahead, what it gives out next is new: these states are equal."""
    canonical = Canonical(symmetric_cpus=False)
    assert canonical(number_and_counter(3, 7)) == canonical(number_and_counter(1, 1))


def test_a_counter_that_code_looks_at_is_told_from_numbers_below_it() -> None:
    """Then the newest number and an older one are different states; how much older is not seen."""
    canonical = Canonical(symmetric_cpus=False)
    canonical.ordered = canonical.counter_held = True
    newest, older, oldest = (canonical(number_and_counter(n, 7)) for n in (7, 6, 2))
    assert newest != older
    assert older == oldest


def test_a_name_in_global_data_tells_states_apart() -> None:
    """A global pointer to one task's map is not the same as one to the other's."""
    canonical = Canonical(symmetric_cpus=False)
    objects = ((0, ()), (0, ()))
    found = {
        canonical(
            State(
                ((0, (name(TASK, 0),)),),
                ((0, (name(HEAP, 0),)), (1, (name(HEAP, 1),))),
                objects,
                (0, (name(SEQUENCE, 0), name(HEAP, slot))),
            )
        )
        for slot in range(2)
    }
    assert len(found) == 2


def test_cpus_keep_their_order_unless_tasks_migrate() -> None:
    """Without symmetry of CPUs a state and its mirror image are two."""
    one = State(((0, ()), (1, ())), (), (), (0, (name(SEQUENCE, 0),)))
    other = State(((1, ()), (0, ())), (), (), (0, (name(SEQUENCE, 0),)))
    assert Canonical(symmetric_cpus=True)(one) == Canonical(symmetric_cpus=True)(other)
    assert Canonical(symmetric_cpus=False)(one) != Canonical(symmetric_cpus=False)(other)
