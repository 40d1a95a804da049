"""Tests of iopermit.engine.facts: exceptions take along what was being worked on."""

from __future__ import annotations

import pickle

import pytest

from iopermit.designs import designs
from iopermit.engine.facts import Facts, about_design, about_scenario, concerning, facts_of
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario


def test_the_nearest_fact_counts() -> None:
    """A fact from nearer to the fault is not replaced; others are added."""
    with (
        pytest.raises(KeyError) as caught,
        concerning(lambda: {"scenario": "all of them", "design": "a"}),
        concerning(lambda: {"scenario": "the second"}),
    ):
        raise KeyError
    assert facts_of(caught.value) == {"scenario": "the second", "design": "a"}


def test_facts_go_from_process_to_process() -> None:
    """They are pickled with the exception."""
    with pytest.raises(KeyError) as caught, concerning(lambda: {"schedule": [1, 2]}):
        raise KeyError
    assert facts_of(pickle.loads(pickle.dumps(caught.value))) == {"schedule": [1, 2]}  # noqa: S301 - our own


def test_nothing_is_asked_without_an_exception() -> None:
    """Facts are collected only for an exception, and what fails then hides nothing."""

    def failing() -> Facts:
        raise ZeroDivisionError

    with concerning(failing):
        pass
    with pytest.raises(KeyError) as caught, concerning(failing):
        raise KeyError
    assert facts_of(caught.value) == {}


def test_design_with_its_switches() -> None:
    """A design is known by its id, its file and the switches that are set."""
    design = next(each for each in designs().values() if each.options)
    name = next(iter(design.options))
    facts = about_design(with_options(design, {name: True}))
    assert name in facts["options"]
    assert facts["design file"].endswith(".py")


def test_scenario_with_its_events() -> None:
    """A scenario is known by its bounds and events."""
    facts = about_scenario(Scenario(1, 2, 1))["scenario"]
    assert (facts["cpus"], facts["tasks"], facts["longs"]) == (1, 2, 1)
    assert "fork" in facts["events"]
