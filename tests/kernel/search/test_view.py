"""Views: what a transition can reach, in names of its own."""

from __future__ import annotations

import struct

from iopermit.kernel.execution.driver import Outcome
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.search.view import View
from iopermit.kernel.state.contents import CPU, HEAP, SEQUENCE, TASK, Component, Contents, name
from iopermit.kernel.state.divided import DividedCpus
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


def divided_state(
    contents: Contents, tss: int, *, heap: tuple[Component | None, ...] = ((9, ()),)
) -> State:
    """Return a state of one CPU that has a word of its own and one of its TSS."""
    cpu = contents.component("cpu", struct.pack("<QQ", 1, tss), name(CPU, 0), (name(TASK, 0),))
    return State((cpu,), ((2, (name(HEAP, 0),)),), heap, (4, (COUNTER,)))


def test_without_the_tss_views_of_two_tsss_are_equal() -> None:
    """Whatever is in a TSS that is not reached, the effect is the same, and leaves it alone."""
    contents = Contents(1, 1, 2)
    divided = DividedCpus(contents, 8, 16)
    one, other = divided_state(contents, 5), divided_state(contents, at.SEQUENCE + 5)
    assert View(one, 0, (0,)).key != View(other, 0, (0,)).key
    view = View(one, 0, (0,), divided)
    assert view.key == View(other, 0, (0,), divided).key
    after = contents.component("cpu", struct.pack("<QQ", 8, 5), name(CPU, 0), (name(TASK, 0),))
    effect = view.localise(Outcome((), one._replace(cpus=(after,))))
    (successor,) = View(other, 0, (0,), divided).globalise([effect])
    memory = struct.pack("<QQ", 8, at.SEQUENCE + 5)
    expected = contents.component("cpu", memory, name(CPU, 0), (name(TASK, 0),))
    assert successor.state == other._replace(cpus=(expected,))


def test_what_a_tss_refers_to_is_shared() -> None:
    """A TSS that is not reached is like another task: it makes objects shared or dangling."""
    contents = Contents(1, 1, 2)
    divided = DividedCpus(contents, 8, 16)
    for heap in (((9, ()), None), ((9, ()), (9, ()))):
        alone, mine, others = (
            View(divided_state(contents, tss, heap=heap), 0, (0,), divided).key
            for tss in (5, at.HEAP, at.HEAP + at.HEAP_STRIDE)
        )
        assert alone != mine
        # The other slot dangles if it is free, and nothing else depends on what refers to it.
        assert (alone == others) == (heap[1] is not None)
