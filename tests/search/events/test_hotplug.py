"""Tests that a CPU which comes up again shows, in every reading, what bring_up() forgets."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support import spin
from tests.support.search.lockstep import Lockstep
from tests.support.search.searching import PLAIN, explore, search_of

from iopermit.designs import find
from iopermit.report.json import to_text, verdict_json
from iopermit.search.check import check_once
from iopermit.search.compilation import translated
from iopermit.search.mutation import HOLDS_UNDER, check_mutant, events_for
from iopermit.search.problem import Problem, Settings
from iopermit.search.replay import replay
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.mutate import mutations
from iopermit.translate.promela.export import export

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.system.design import Design

FILE: Final = Path(__file__).parents[2] / "support" / "designs" / "hotplug.py"
FEW: Final = frozenset({Event.IOPERM, Event.CPU_OFFLINE})
MOVING: Final = Scenario(2, 2, 1, FEW | {Event.MIGRATE})
BOUND: Final = Scenario(2, 2, 1, FEW)
"""Each task stays on its CPU until that goes down."""

VERDICTS: Final = {
    "Resets": "",
    "ForgetsTag": "loss",
    "WrongMark": "leak",
    "NeverFills": "",
    "WithoutHook": "",
    "WithoutHotplug": "",
    "AllocatesAgain": "garbage",
    "AllocatesOnce": "",
    "LooksAround": "",
}
"""What is found of each design."""

SINGLE: Final = [Reductions(), PLAIN, *(PLAIN.with_(reduction) for reduction in REDUCTIONS)]


def own(name: str) -> type[Design]:
    """Return a design of the file."""
    return load_design(f"{FILE}:{name}")


@pytest.mark.parametrize("scenario", [MOVING, BOUND], ids=["moving", "bound"])
@pytest.mark.parametrize(("name", "kind"), VERDICTS.items())
def test_each_reduction_finds_what_bring_up_forgets(
    name: str, kind: str, scenario: Scenario
) -> None:
    """The same kinds are found with every reduction, with none, and with each by itself."""
    kinds = set()
    for reductions in SINGLE:
        result = search_of(own(name), scenario, reductions=reductions, exhaustive=True).result
        assert result.exhausted
        kinds.add(" ".join(sorted({found for found, _ in result.found})))
    assert len(kinds) == 1
    (found,) = kinds
    assert kind in found if kind else not found


@pytest.mark.parametrize("name", [name for name, kind in VERDICTS.items() if kind])
def test_without_the_event_every_design_holds(name: str) -> None:
    """A CPU that is brought up only once hides what bring_up() forgets; one CPU never goes down."""
    events = MOVING.events - {Event.CPU_OFFLINE}
    assert not search_of(own(name), Scenario(2, 2, 1, events)).result.found
    alone = check_once(Problem(own(name), Scenario(1, 2, 1, MOVING.events), Settings()))
    assert alone.verdict == "holds"
    assert "cpu-offline" in alone.uncovered.events


def test_a_finding_is_replayed_at_full_size() -> None:
    """The schedule has the event, is confirmed, and leads to the same fault when it was saved."""
    verdict = check_once(Problem(own("ForgetsTag"), MOVING, Settings()))
    assert verdict.trace is not None
    assert verdict.search.confirmed_full_size
    assert "cpu-offline" in {step.event for step in verdict.trace}
    saved = json.loads(to_text(verdict_json(verdict)))
    again = replay(saved)
    assert again.violation is not None
    assert verdict.violation is not None
    assert again.violation.message == verdict.violation.message


@pytest.mark.parametrize("name", ["Resets", "WithoutHook"])
def test_bring_up_is_executed_and_the_event_happens(name: str) -> None:
    """Every statement of bring_up() counts as executed, and the event as one that was possible."""
    verdict = check_once(Problem(own(name), BOUND, Settings()))
    assert verdict.uncovered.events == ()
    assert "bring_up" not in {site.function for site in verdict.uncovered.statements}


def test_a_kernel_without_hotplug_says_so() -> None:
    """The event is reported as one that never was possible."""
    verdict = check_once(Problem(own("WithoutHotplug"), MOVING, Settings()))
    assert (verdict.verdict, verdict.uncovered.events) == ("holds", ("cpu-offline",))


@pytest.mark.parametrize("scenario", [MOVING, BOUND], ids=["moving", "bound"])
@pytest.mark.parametrize("name", ["Resets", "ForgetsTag", "WithoutHook", "AllocatesOnce"])
def test_spin_agrees(
    name: str, scenario: Scenario, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Spin finds as many states, as many transitions and the same verdict as the search."""
    settings = Settings(PLAIN, exhaustive=True)
    each = translated(Problem(own(name), scenario, settings))
    theirs = spin.search(require, export(each.model, each.initial), tmp_path)
    ours = explore(each)
    assert (ours.states, ours.transitions) == (theirs.states, theirs.transitions)
    assert bool(ours.violations) == theirs.violated


@pytest.mark.parametrize("scenario", [MOVING, BOUND], ids=["moving", "bound"])
@pytest.mark.parametrize("name", VERDICTS)
def test_both_readings_agree(name: str, scenario: Scenario) -> None:
    """Random steps, this event among them, lead to the same states."""
    walk = Lockstep(own(name), scenario).walk(1500, random.Random(name))
    assert (walk.events["cpu-offline"] > 0) == (name != "WithoutHotplug")


def test_linux_needs_what_it_resets() -> None:
    """linux-5.8 has to reset the sequence number in the TSS: without that ports are lost."""
    design = find("linux-5.8")
    events = HOLDS_UNDER["linux-5.8"] | {Event.CPU_OFFLINE}
    assert not search_of(design, Scenario(2, 2, 1, events)).result.found
    (forgetful,) = (
        mutation
        for mutation in mutations(design)
        if (mutation.method, mutation.statement) == ("bring_up", "cpu.tss.prev_sequence = 0")
    )
    assert events_for(forgetful) == events
    outcome = check_mutant(forgetful, events, [(2, 2, 1)])
    assert (outcome.found, outcome.kind) == (True, "loss")
