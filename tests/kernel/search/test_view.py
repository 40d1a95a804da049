"""Views: what a transition can reach, in names of its own."""

from __future__ import annotations

from iopermit.kernel.execution.driver import Outcome
from iopermit.kernel.search.view import View
from iopermit.kernel.state.contents import CPU, HEAP, SEQUENCE, TASK, Component, name
from iopermit.kernel.state.state import State

COUNTER = name(SEQUENCE, 5)


def state_with(slot: int, *, data: tuple[int, ...] = (), inner: tuple[int, ...] = ()) -> State:
    """Return a state of two tasks, of which task 0 has a map in a heap slot."""
    heap: list[Component | None] = [(9, ()), (9, ()), (9, ())]
    heap[slot] = (7, inner)
    other = name(HEAP, (slot + 1) % 3)
    return State(
        ((0, (name(TASK, 0),)), (1, (name(TASK, 1),))),
        ((2, (name(HEAP, slot),)), (3, (other,))),
        tuple(heap),
        (4, (COUNTER, *data)),
    )


def test_the_same_map_in_another_slot_gives_an_equal_view() -> None:
    """Which heap slot an object is in is nothing that the transition can see."""
    assert View(state_with(0), 0, (0,)).key == View(state_with(2), 0, (0,)).key


def test_what_global_data_refers_to_is_part_of_the_view() -> None:
    """A global pointer to the task's map and one to another's give different views."""
    mine = View(state_with(0, data=(name(HEAP, 0),)), 0, (0,))
    others = View(state_with(0, data=(name(HEAP, 1),)), 0, (0,))
    assert mine.key != others.key


def test_objects_that_objects_refer_to_are_reached() -> None:
    """What a map points to is told apart by its content, too."""
    near = state_with(0, inner=(name(HEAP, 2),))
    changed = near._replace(heap=(near.heap[0], near.heap[1], (8, ())))
    assert View(near, 0, (0,)).key != View(changed, 0, (0,)).key


def test_another_task_refers_to_the_map() -> None:
    """Whether somebody else can see an object is part of the view: it decides where to stop."""
    alone = state_with(0)
    shared = alone._replace(tasks=(alone.tasks[0], (3, (name(HEAP, 0),))))
    assert View(alone, 0, (0,)).key != View(shared, 0, (0,)).key


def test_an_effect_is_the_same_on_every_equal_view() -> None:
    """A new number and a new pointer land in the right places of a state with other names."""
    before, fresh = state_with(0), name(SEQUENCE, 6)
    after = before._replace(
        cpus=((5, (name(TASK, 0), fresh)), before.cpus[1]),
        heap=((8, (fresh,)), *before.heap[1:]),
    )
    effect = View(before, 0, (0,)).localise(Outcome((), after))
    elsewhere = state_with(2)
    (successor,) = View(elsewhere, 0, (0,)).globalise([effect])
    assert successor.state is not None
    assert successor.state.cpus == ((5, (name(TASK, 0), fresh)), elsewhere.cpus[1])
    assert successor.state.heap == (*elsewhere.heap[:2], (8, (fresh,)))
    assert successor.state.tasks == elsewhere.tasks


def test_the_cpu_s_own_name_is_the_same_on_every_cpu() -> None:
    """Views of two CPUs that differ in names only are equal."""
    state = State(
        ((0, (name(TASK, 0), name(CPU, 0))), (0, (name(TASK, 1), name(CPU, 1)))),
        ((2, ()), (2, ())), (), (4, (COUNTER,)),
    )  # fmt: skip
    assert View(state, 0, (0,)).key == View(state, 1, (1,)).key
