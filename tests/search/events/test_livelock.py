"""Tests of handlers of #GP that say "again": for ever is a loss, for a while is none."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support import spin
from tests.support.certify.certificates import certificate
from tests.support.certify.exploring import explore
from tests.support.search.lockstep import Lockstep
from tests.support.search.searching import PLAIN, search_of

from iopermit.certify.checker import certify
from iopermit.certify.errors import Refuted
from iopermit.certify.language.source import load
from iopermit.engine.ending import UnrepeatedRefusals
from iopermit.engine.errors import ReplayError, UnrepeatedError
from iopermit.report.json import verdict_json
from iopermit.search.check import check, check_once
from iopermit.search.counterexample import confirmation
from iopermit.search.problem import Problem, Settings
from iopermit.search.replay import replay
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design
from iopermit.translate.promela.export import export

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.engine.verdict import Verdict
    from iopermit.system.design import Design

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs" / "livelocks.py"
FEW: Final = frozenset({Event.IOPERM})
ONE: Final = Scenario(1, 1, 1, FEW | {Event.ALLOCATION_FAILS})
LONGS: Final = Scenario(1, 1, 2, FEW)
TWO_LONGS: Final = Scenario(1, 1, 2, ONE.events)
PREEMPTED: Final = Scenario(1, 2, 1, FEW | {Event.EXIT, Event.FORK, Event.PREEMPT})
CPUS: Final = Scenario(2, 2, 1, FEW)

FOR_EVER: Final = {
    "NeverRepairs": 1, "Toggles": 2, "TakesNumbers": 1, "Spoils": 1,
    "Allocates": 1, "WantsMemory": 1,
}  # fmt: skip
"""Designs whose handler repairs nothing, and after how many refusals everything repeats."""

HOLD: Final = ("Repairs", "LoadsOnTheWay", "SecondTry")

BOTH: Final = pytest.mark.parametrize(
    "reductions", [Reductions(), NO_REDUCTIONS], ids=["reduced", "plain"]
)


def design(name: str) -> type[Design]:
    """Return one of the designs."""
    return load_design(f"{DESIGNS}:{name}")


def verdict_of(
    name: str,
    scenario: Scenario,
    reductions: Reductions = Reductions(),  # noqa: B008 - immutable
) -> Verdict:
    """Check a design in one scenario."""
    return check_once(Problem(design(name), scenario, Settings(reductions)))


@pytest.mark.parametrize("name", FOR_EVER)
@pytest.mark.parametrize("scenario", [ONE, TWO_LONGS], ids=["one", "longs"])
@BOTH
def test_again_for_ever_is_a_loss(name: str, scenario: Scenario, reductions: Reductions) -> None:
    """A handler that repairs nothing is violated, and full size finds when everything repeats."""
    verdict = verdict_of(name, scenario, reductions)
    violation = verdict.violation
    assert violation is not None
    assert (violation.kind, violation.livelock) == ("loss", True)
    assert violation.repeats_every == FOR_EVER[name]
    assert violation.message.endswith("which it was granted: the #GP handler says 'again' for ever")
    assert verdict.search.confirmed_full_size


@pytest.mark.parametrize("name", HOLD)
@pytest.mark.parametrize(
    "scenario", [ONE, LONGS, PREEMPTED, CPUS], ids=["one", "longs", "preempted", "cpus"]
)
def test_again_for_a_while_is_no_fault(name: str, scenario: Scenario) -> None:
    """A handler that repairs holds, at once or at the second try, preempted or on two CPUs."""
    assert verdict_of(name, scenario).verdict == "holds"


@pytest.mark.parametrize("name", [*FOR_EVER, *HOLD, "Disturbed"])
@pytest.mark.parametrize("scenario", [ONE, TWO_LONGS, PREEMPTED], ids=["one", "longs", "preempted"])
def test_no_reduction_hides_a_row(name: str, scenario: Scenario) -> None:
    """With all reductions, with none, and with each by itself the kinds of violations are equal."""
    kinds = {
        frozenset(
            search_of(
                design(name), scenario, reductions=reductions, exhaustive=True
            ).result.violations
        )
        for reductions in (Reductions(), NO_REDUCTIONS, *map(NO_REDUCTIONS.with_, REDUCTIONS))
    }
    row = name in FOR_EVER and (name != "WantsMemory" or Event.ALLOCATION_FAILS in scenario.events)
    assert kinds == {frozenset({"livelock"}) if row else frozenset()}


def test_a_row_that_ends_leaves_the_verdict_open() -> None:
    """That a handler is patient beyond the count shows no loss, and nobody says that it holds."""
    verdict = verdict_of("Patient", ONE)
    assert verdict.verdict == "undetermined"
    assert isinstance(verdict.ending, UnrepeatedRefusals)
    assert "3 times in a row" in verdict.reason
    assert "then every port that was granted can be used" in verdict.reason


def test_a_row_that_needs_another_cpu_leaves_the_verdict_open() -> None:
    """What only another CPU prolongs is no livelock; on one CPU the same design holds."""
    assert verdict_of("Disturbed", CPUS).verdict == "undetermined"
    assert verdict_of("Disturbed", PREEMPTED).verdict == "holds"


def test_a_row_in_which_each_port_has_its_turn_leaves_the_verdict_open() -> None:
    """Where some port is refused every time, but never the same, no access waits for ever."""
    verdict = verdict_of("TakesTurns", LONGS)
    assert verdict.verdict == "undetermined"
    assert "each of the granted ports can be used at some time" in verdict.reason


def test_an_open_row_ends_a_ladder_of_scenarios() -> None:
    """Without a scenario the check ends undetermined where a row ends, and says in which size."""
    verdict = check(design("Patient"))
    assert verdict.verdict == "undetermined"
    assert verdict.reason.startswith("with 1 CPU, 1 task, 1 long the #GP handler")


@BOTH
def test_a_handler_that_gives_up_after_a_row_loses(reductions: Reductions) -> None:
    """A row that ends with "no" is an ordinary loss, and the schedule shows all of it."""
    verdict = verdict_of("GivesUp", ONE, reductions)
    assert verdict.violation is not None
    assert verdict.violation.kind == "loss"
    assert not verdict.violation.livelock
    assert verdict.trace is not None
    assert sum(step.event == "fault" for step in verdict.trace) == 9


@BOTH
def test_a_violation_besides_an_open_row_is_found(reductions: Reductions) -> None:
    """Where the row that is found first ends, the search looks for another violation."""
    verdict = verdict_of("PatientLeak", ONE, reductions)
    assert verdict.violation is not None
    assert verdict.violation.kind == "leak"


def test_behind_a_row_nobody_knows_who_needs_privilege() -> None:
    """Whether a leak needs the privilege is open if the search for it met a row of refusals."""
    alone, together = (
        verdict_of("PatientLeak", Scenario(1, tasks, 1, FEW)).violation for tasks in (1, 2)
    )
    assert alone is not None
    assert together is not None
    assert (alone.kind, alone.needs_privilege) == ("leak", True)
    assert (together.kind, together.needs_privilege) == ("leak", None)


def test_a_row_and_its_end_are_one_violation() -> None:
    """With --all the row and the "no" at its end are told once, as they are the same loss."""
    verdict = check(design("GivesUp"), ONE, every=True)
    assert verdict.violation is not None
    assert not verdict.violation.livelock
    assert verdict.also == ()


@pytest.mark.parametrize("name", ["Toggles", "GivesUp"])
def test_a_saved_row_is_replayed(name: str) -> None:
    """A saved schedule shows the same loss again, with the number of refusals."""
    saved = json.loads(json.dumps(verdict_json(check(design(name), ONE))))
    again = replay(saved)
    assert again.violation is not None
    assert again.violation.message == saved["violation"]["message"]
    assert again.violation.repeats_every == saved["violation"]["repeats_every"]
    assert (again.violation.repeats_every is None) == (name == "GivesUp")


def test_a_saved_row_that_ends_now_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the row comes to an end by now, the replay says that the violation is gone."""
    saved = json.loads(json.dumps(verdict_json(check(design("Toggles"), ONE))))

    def ended(*_: object) -> None:
        raise UnrepeatedError("now it ends")

    monkeypatch.setattr("iopermit.search.replay.continued", ended)
    with pytest.raises(ReplayError, match="no longer shows"):
        replay(saved)


def test_a_row_that_full_size_lacks_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """That full size does not even show the row is a disagreement, no open question."""
    monkeypatch.setattr(confirmation, "seen", lambda _: "none")
    with pytest.raises(ReplayError, match="the search found a livelock, but"):
        verdict_of("NeverRepairs", ONE)


@pytest.mark.parametrize("name", [*FOR_EVER, *HOLD, "GivesUp", "Disturbed"])
def test_both_readings_count_alike(name: str) -> None:
    """In 1,500 random steps the model and the design's own Python have the same counts."""
    walk = Lockstep(design(name), Scenario(2, 3, 2, ALL_EVENTS)).walk(1500, random.Random(name))
    assert walk.events["fault"] > 5


@pytest.mark.parametrize("name", ["NeverRepairs", "Toggles", "Spoils", "LoadsOnTheWay", "Repairs"])
@pytest.mark.parametrize(
    "scenario", [LONGS, Scenario(1, 2, 1, FEW | {Event.EXIT})], ids=["longs", "tasks"]
)
def test_spin_agrees(
    name: str, scenario: Scenario, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Spin finds as many states and transitions and the same verdict with the count in it."""
    ours = search_of(design(name), scenario, reductions=PLAIN, exhaustive=True)
    theirs = spin.search(require, export(ours.source.model, ours.source.initial), tmp_path)
    assert (ours.result.states, ours.result.transitions) == (theirs.states, theirs.transitions)
    assert theirs.violated == bool(ours.result.violations) == (name in FOR_EVER)


@pytest.mark.parametrize("name", HOLD)
def test_a_certificate_is_verified(name: str, tmp_path: Path) -> None:
    """The checker of certificates counts by its own rules and comes to the same states."""
    states = certificate(tmp_path / "it", f"{DESIGNS}:{name}", PREEMPTED)
    result = certify(tmp_path / "it", processes=1)
    assert result.verified, result.refutation
    assert explore(load(str(DESIGNS), name, ()), LONGS)[0] > 100
    assert states > 1000


@pytest.mark.parametrize("name", ["NeverRepairs", "Toggles", "Spoils", "Patient"])
def test_the_checker_refutes_a_row(name: str) -> None:
    """A state in such a row is certified by nobody, though the row may end."""
    with pytest.raises(Refuted, match="loss: the handler of #GP says again and again"):
        explore(load(str(DESIGNS), name, ()), ONE)
