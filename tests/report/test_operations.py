"""Tests of iopermit.report.operations: which steps belong together."""

from tests.support.report.schedules import Recorder

from iopermit.engine.violation import task_name
from iopermit.report.operations import Operation, operations
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario


def recorded() -> list[Operation]:
    """Return the operations of a system call that is preempted, and goes on later."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, ALL_EVENTS))
    recorder.start(0, "ioperm", first=0, end=2, turn_on=1)
    recorder.step(0)
    recorder.run(0, "switch", following=1)
    recorder.run(0, "switch", following=0)
    return [operation for _, operation in operations(recorder.trace)]


def test_preempted_call_stays_one_operation() -> None:
    """Steps before and after a preemption belong to the same system call."""
    found = recorded()
    assert found[0] is found[-1]
    assert list(dict.fromkeys(o.name for o in found)) == ["ioperm()", "switch_to()"]


def test_switch_knows_both_tasks() -> None:
    """A context switch leaves one task and goes on with another."""
    switches = list(dict.fromkeys((o.task, o.following) for o in recorded() if o.is_switch))
    assert switches == [("A", "B"), ("B", "A")]


def test_operation_is_ended_by_one_step() -> None:
    """Exactly one step of a finished operation is the one with which it returns."""
    call = recorded()[-1]
    assert [step.text for step in call.steps if call.ended_by(step)] == ["ioperm() returns"]


def test_tasks_have_letters() -> None:
    """Task slots are named A, B, C, ..."""
    assert [task_name(slot) for slot in range(3)] == ["A", "B", "C"]
