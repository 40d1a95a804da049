"""The visited set."""

from __future__ import annotations

from iopermit.kernel.search.rules import Move
from iopermit.kernel.search.visited import VisitedSet
from iopermit.kernel.state.contents import SEQUENCE, TASK, name
from iopermit.kernel.state.state import State
from iopermit.system.execution import action

COUNTER = name(SEQUENCE, 0)
MOVE = Move(action(0, "exit"), 0, 0, -1, is_switch=False, is_step=False)


def state(number: int, *data: int) -> State:
    """Return a state that differs from others by a number, or by names in global data."""
    return State(((number, ()),), (None,), (), (0, (COUNTER, *data)))


def test_a_state_is_new_once() -> None:
    """Adding a state again gives None, also when it is another object."""
    visited = VisitedSet()
    first = visited.begin(state(0))
    assert visited.add(state(1), first, MOVE) is not None
    assert visited.add(state(1), first, MOVE) is None
    assert visited.add(state(0), first, MOVE) is None


def test_names_in_global_data_make_another_state() -> None:
    """Where a global pointer points to is part of what was visited."""
    visited = VisitedSet()
    first = visited.begin(state(0, name(TASK, 0)))
    assert visited.add(state(0, name(TASK, 1)), first, MOVE) is not None


def test_the_path_leads_from_the_initial_state() -> None:
    """The first predecessor of each state gives the way to it, in order."""
    visited = VisitedSet()
    packed = [visited.begin(state(0))]
    for number in (1, 2):
        added = visited.add(state(number), packed[-1], MOVE)
        assert added is not None
        packed.append(added)
    assert visited.path(packed[2]) == [(packed[1], MOVE), (packed[2], MOVE)]
    assert visited.path(packed[0]) == []
