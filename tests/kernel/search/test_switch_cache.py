"""What switches lead to is remembered by all that they look at, and by nothing less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.checking import loaded

from iopermit.kernel.search.tree_search import TreeSearch
from iopermit.kernel.state.contents import CPU, HEAP, TASK, name
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.state.state import State
    from iopermit.system.execution import Action

ONE = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT, Event.FORK, Event.EXIT}))
TWO = Scenario(2, 3, 1, frozenset({Event.IOPERM, Event.PREEMPT, Event.MIGRATE}))


def with_data(state: State, *names: int) -> State:
    """Return a state whose global data refers to something else; the counter is the same."""
    counter, *others = state.data[1]
    assert len(names) == len(others)
    return state._replace(data=(state.data[0], (counter, *names)))


@pytest.fixture
def search() -> TreeSearch:
    """Return a search of two CPUs whose switches are remembered, and which executed one."""
    begun = TreeSearch(loaded("6.12", "repair").image, TWO)
    move = next(m for m in begun.rules.moves(begun.initial) if m.is_switch)
    # The first execution tells which words switches look at; what it leads to is not kept.
    while begun.cache.switches.successor(begun.initial, move) is None:
        pass
    return begun


def executed(search: TreeSearch, state: State) -> int:
    """Return how often a switch in a state was executed to tell what it leads to."""
    before = search.cache.driver.executed
    move = next(m for m in search.rules.moves(search.initial) if m.is_switch)
    search.cache.switches.successor(state, move)
    return search.cache.driver.executed - before


def test_switches_are_remembered_though_the_data_refers_to_cpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Debian's 6.12 has a table of the CPUs' areas; its switches are executed a few times only."""
    search = TreeSearch(loaded("6.12", "repair").image, ONE)
    assert len(search.initial.data[1]) > 1
    driver = search.cache.driver
    switches: list[Action] = []
    execute = driver.execute

    def noted(state: State, action: Action) -> list[Outcome]:
        switches.extend([action] * action.is_switch)
        return execute(state, action)

    monkeypatch.setattr(driver, "execute", noted)
    result = search.run()
    assert result.found is None
    assert 0 < len(switches) < result.states / 5


def test_an_equal_state_is_not_executed_again(search: TreeSearch) -> None:
    """The same switch in the same state is looked up."""
    assert executed(search, search.initial) == 0


def test_data_that_names_cpus_in_another_order_is_another_key(search: TreeSearch) -> None:
    """A switch that reads where CPUs' areas are may do something else then."""
    zero, one = name(CPU, 0), name(CPU, 1)
    assert search.initial.data[1][1:] == (zero, one)
    assert executed(search, with_data(search.initial, one, zero)) == 1


@pytest.mark.parametrize("kind", [TASK, HEAP])
def test_data_that_names_anything_else_is_not_looked_up(search: TreeSearch, kind: int) -> None:
    """A switch might reach a task or a heap object by the global data: no key has these."""
    move = next(m for m in search.rules.moves(search.initial) if m.is_switch)
    other = with_data(search.initial, name(CPU, 0), name(kind, 0))
    assert search.cache.switches.successor(other, move) is None
