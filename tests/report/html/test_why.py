"""Tests of iopermit.report.html.why: the condition that failed, and what led to it."""

from __future__ import annotations

from dataclasses import replace

from tests.support.report.schedules import Recorder, review_story
from tests.support.report.verdicts import CRASH, GARBAGE

from iopermit.engine.trace import SelectedMap, Violation
from iopermit.report.html.model import Fact
from iopermit.report.html.why import CONDITIONS, why
from iopermit.report.words import KINDS
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario


def test_every_kind_of_violation_has_a_condition() -> None:
    """Whatever can be violated is said in a sentence."""
    assert CONDITIONS.keys() == KINDS.keys()


def test_a_leak_names_task_cpu_and_ports() -> None:
    """The panel says who may use which ports, what was granted, and to whom else."""
    verdict = review_story()
    assert verdict.trace is not None
    assert verdict.violation is not None
    found = why(verdict.trace, verdict.violation, {s.number: 1 for s in verdict.trace})
    assert {fact.name: fact.text for fact in found.facts} == {
        "Task": "B",
        "CPU": "0",
        "Wrong ports": "192-65535",
        "The CPU allows": "128, 192-65535",
        "B was granted": "128",
        "Granted these ports": "only task A",
    }


def test_the_writes_that_led_to_a_leak_are_told_in_order() -> None:
    """Clearing the bits, the switch, the base and the copy are told, each at its last step."""
    verdict = review_story()
    trace, violation = verdict.trace, verdict.violation
    assert trace is not None
    assert violation is not None
    found = why(trace, violation, {step.number: step.number for step in trace})
    effects = [cause.effect for cause in found.causes]
    assert [cause.atomic for cause in found.causes] == sorted({c.atomic for c in found.causes})
    for part in (
        "ioperm(0, 65536, 1): A asks for ports 0-65535",
        "the bits of ports 192-65535 in the TSS become clear",
        "CPU 0 begins to switch from A to B",
        "the I/O map base changes: past limit becomes valid",
        "the copy into the TSS reaches byte 23 of 8192",
    ):
        assert sum(part in effect for effect in effects) == 1, part
    base = next(cause for cause in found.causes if "past limit becomes valid" in cause.effect)
    step = trace[base.atomic - 1]
    assert (step.before.io_map_base, step.after.io_map_base) == (
        SelectedMap.PAST_LIMIT,
        SelectedMap.VALID,
    )


def test_the_statement_to_blame_is_a_cause() -> None:
    """The last step that executes the statement which let it happen is told."""
    verdict = review_story()
    trace, violation = verdict.trace, verdict.violation
    assert trace is not None
    assert violation is not None
    found = why(trace, violation, {step.number: 1 for step in trace})
    blamed = [c for c in found.causes if "the statement that let it happen" in c.effect]
    assert [trace[cause.atomic - 1].source for cause in blamed] == [violation.site]


def test_ports_that_the_map_refuses_are_allowed_by_the_level() -> None:
    """If the TSS refuses the ports of a leak, the panel says that the privilege level allows."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.run(0, "iopl", level=3)
    trace = recorder.trace
    leak = Violation("leak", "A", 0, ((0, 65535),), ((0, 65535),), (), "", "may", None)
    found = why(trace, leak, {step.number: 1 for step in trace})
    assert any(fact.name == "Allowed by" for fact in found.facts)


def test_a_crash_has_the_call_and_no_ports() -> None:
    """For a crash the panel tells the call of the task, and says nothing of ports."""
    trace = review_story().trace
    assert trace is not None
    assert CRASH.violation is not None
    crash = replace(CRASH.violation, task="B")
    found = why(trace, crash, {step.number: 1 for step in trace})
    assert [fact.name for fact in found.facts] == ["Task", "CPU"]
    assert [cause.effect for cause in found.causes] == ["starts ioperm(128, 1, 1)"]


def test_garbage_belongs_to_no_task() -> None:
    """Memory that nothing refers to is nobody's: the panel names neither a task nor a CPU."""
    assert GARBAGE.violation is not None
    found = why((), GARBAGE.violation, {})
    assert found.facts == (Fact("What is lost", "nothing refers to IoBitmap 0"),)
    assert found.causes == ()
    assert found.broken
