"""What can happen next: how a task ends."""

from __future__ import annotations

import pytest
from tests.support.kernel.checking import loaded
from tests.support.kernel.planted.corpus import CORPUS
from tests.support.kernel.planted.running import complaint, outcome_of
from tests.support.kernel.trees import VERSIONS

from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.search.rules import Move, Rules
from iopermit.kernel.search.tree_search import TreeSearch
from iopermit.kernel.state.state import State, TaskMode
from iopermit.system.events import Event
from iopermit.system.execution import CONTINUE, Action, action
from iopermit.system.scenario import Scenario

NEWEST = VERSIONS[-1]


class Machine:
    """A tree in which things happen one after the other on CPU 0."""

    def __init__(self, *events: Event) -> None:
        """Bring up the repaired tree with two tasks."""
        scenario = Scenario(1, 2, 1, frozenset(events))
        self.driver, self.state = bring_up(loaded(NEWEST, "repair").image, scenario)
        self.rules = Rules(self.driver.kernel, scenario)

    def do(self, event: str, **arguments: int) -> None:
        """Let something happen that is possible."""
        chosen = Action(0, CONTINUE) if event == CONTINUE else action(0, event, **arguments)
        assert chosen in self.rules.enabled(self.state)
        after = self.driver.execute(self.state, chosen)[0].state
        assert isinstance(after, State)
        self.state = after

    def mode(self, slot: int) -> TaskMode | None:
        """Return what a task is doing; None: it is gone."""
        task = self.state.tasks[slot]
        return None if task is None else self.driver.kernel.task_meta(task).mode

    @property
    def possible(self) -> set[str]:
        """The events that are possible now."""
        return {one.event for one in self.rules.enabled(self.state)}


def test_a_task_runs_on_after_exit_thread() -> None:
    """It can be switched out and in again any number of times, and then it is dead."""
    machine = Machine(Event.EXIT, Event.PREEMPT)
    machine.do("exit")
    while machine.mode(0) is TaskMode.KERNEL:
        machine.do(CONTINUE)
    for _ in range(2):
        assert machine.mode(0) is TaskMode.EXITING
        assert machine.possible == {CONTINUE, "switch"}
        machine.do("switch", following=1)
        machine.do("switch", following=0)
    machine.do(CONTINUE)
    assert (machine.mode(0), machine.possible) == (TaskMode.DEAD, {"switch"})
    machine.do("switch", following=1)
    assert machine.mode(0) is None


@pytest.mark.parametrize(
    ("event", "arguments"), [("exit", {}), ("exec", {}), ("fork", {"child": 1})]
)
def test_a_kernel_without_preemption_sleeps_before_it_calls_some_functions(
    event: str, arguments: dict[str, int]
) -> None:
    """Nothing of the function was executed, and the task can be switched out."""
    machine = Machine(Event.EXIT, Event.EXEC, Event.FORK)
    machine.state = machine.state._replace(tasks=(machine.state.tasks[0], None))
    before = machine.driver.kernel.executor.executed.copy()
    machine.do(event, **arguments)
    assert machine.driver.kernel.executor.executed == before
    assert (machine.mode(0), machine.possible) == (TaskMode.KERNEL, {CONTINUE, "switch"})


@pytest.mark.parametrize("name", ["flag-left-by-exit", "exit-takes-the-map-for-its-own"])
def test_what_an_exiting_task_leaves_wrong_is_found(name: str) -> None:
    """A tree holds but for tasks that are switched out and in again while they exit."""
    assert complaint(CORPUS[name], outcome_of(CORPUS[name], NEWEST)) == ""


@pytest.mark.parametrize("more", [Event.DROP_PRIVILEGE, Event.MIGRATE])
def test_moves_that_are_looked_up_are_those_of_the_state(
    more: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every state of a search the remembered moves are what can happen in that very state."""
    events = {Event.IOPERM, Event.FORK, Event.IO_THREAD, Event.EXIT, Event.PREEMPT, more}
    scenario = Scenario(2, 2, 1, frozenset(events))
    control = Control(Limits(max_states=1500))
    search = TreeSearch(loaded(NEWEST, "repair").image, scenario, control)
    enabled, moves = search.rules.enabled, search.rules.moves
    compared = []

    def looked_up(state: State) -> list[Move]:
        found = moves(state)
        compared.append([one.action for one in found] == list(enabled(state)))
        return found

    monkeypatch.setattr(search.rules, "moves", looked_up)
    search.run()
    assert len(compared) > 500
    assert all(compared)
