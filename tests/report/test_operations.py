"""Tests of iopermit.report.operations: which steps belong together."""

from tests.support.report.schedules import Recorder

from iopermit.engine.violation import task_name
from iopermit.report.operations import TracedOperation, operations
from iopermit.report.words import step_text
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario


def recorded() -> list[TracedOperation]:
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
    assert [step_text(step) for step in call.steps if call.ended_by(step)] == ["ioperm() returns"]


def test_error_is_what_the_call_returned() -> None:
    """A call that fails has the name of its error; the next call of the task has none of its own.

    The step back to user mode follows calls and what is no call alike.
    """
    recorder = Recorder("linux-5.5", Scenario(1, 2, 2, ALL_EVENTS))
    recorder.run(0, "ioperm", first=0, end=0, turn_on=1)
    recorder.run(0, "drop-privilege")
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    found = dict.fromkeys(operation for _, operation in operations(recorder.trace))
    assert [(o.text, o.error) for o in found] == [
        ("ioperm(0, 0, 1)", "EINVAL"),
        ("drops CAP_SYS_RAWIO", ""),
        ("ioperm(0, 65536, 1)", "EPERM"),
    ]


def test_a_switch_from_kernel_code_preempts() -> None:
    """A switch preempts only if the task that it leaves executes kernel code."""
    switches = [operation for operation in dict.fromkeys(recorded()) if operation.is_switch]
    assert [switch.first.preempts for switch in switches] == [True, False]


def test_tasks_have_letters() -> None:
    """Task slots are named A, B, C, ..."""
    assert [task_name(slot) for slot in range(3)] == ["A", "B", "C"]
