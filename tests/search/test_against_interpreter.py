"""The simple interpreter of models must find the same states and verdicts as native code."""

import pytest
from tests.support.search.searching import explore, subject
from tests.support.translate.interpreter import Interpreter

from iopermit.system.events import Event, all_events
from iopermit.system.scenario import Scenario
from iopermit.translate.model.nodes import NO_VIOLATION, VERDICTS

ONE_TASK = Scenario(1, 1, 1, all_events())
FAMILY = Scenario(
    1, 2, 1, frozenset({Event.IOPERM, Event.FORK, Event.FORK_FAILS, Event.IO_THREAD, Event.EXIT})
)
TWO_CPUS = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.MIGRATE}))


@pytest.mark.parametrize(
    ("design_id", "scenario", "kinds"),
    [
        ("linux-2.4.20", ONE_TASK, {"leak"}),
        ("linux-2.6.10-L2", ONE_TASK, {"leak", "loss"}),
        ("linux-060aa16f", ONE_TASK, {"crash"}),
        ("linux-v2-06", FAMILY, {"crash", "loss"}),
        ("linux-5.5", FAMILY, {"garbage", "loss"}),
        ("linux-2.6.8", TWO_CPUS, set()),
        ("linux-6.16", FAMILY, set()),
    ],
)
def test_the_interpreter_agrees(design_id: str, scenario: Scenario, kinds: set[str]) -> None:
    """Both find the same numbers of states, transitions, and violating states of each kind."""
    each = subject(design_id, scenario)
    simple = Interpreter(each.model, each.initial).explore(limit=400_000)
    native = explore(each)
    assert (native.states, native.transitions) == (simple.states, simple.transitions)
    violations = {VERDICTS[v]: n for v, n in simple.verdicts.items() if v != NO_VIOLATION}
    assert native.violations == violations
    assert set(violations) == kinds
