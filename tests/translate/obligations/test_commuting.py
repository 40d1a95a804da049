"""Tests of the obligations of merged steps: discharged as it is, and not without a premise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.assumptions import assumptions
from iopermit.translate.analyses.merging import Merging
from iopermit.translate.frontend.load import load_design
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import ALWAYS, Expr, Store
from iopermit.translate.translation import translate

commuting = pytest.importorskip("iopermit.translate.obligations.commuting", reason="needs z3")
premises = pytest.importorskip("iopermit.translate.obligations.premises", reason="needs z3")
induction = pytest.importorskip("iopermit.translate.obligations.induction", reason="needs z3")

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs"
PREEMPTED: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.EXIT, Event.PREEMPT}))
FORKED: Final = Scenario(1, 2, 1, frozenset({Event.FORK, Event.PREEMPT, Event.MIGRATE}))
ROWS: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT}))
SHARED: Final = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.EXEC, Event.MIGRATE}))
READ: Final = Scenario(1, 3, 1, frozenset({Event.IOPERM, Event.PREEMPT, Event.READ_MAP}))
HOTPLUG: Final = Scenario(2, 2, 1, SHARED.events | {Event.CPU_OFFLINE})
HOMEBOUND: Final = Scenario(2, 2, 1, PREEMPTED.events | {Event.CPU_OFFLINE})
CASES: Final = [
    ("lost_marks.py:Marked", PREEMPTED),
    ("lost_marks.py:MarkedOnce", PREEMPTED),
    ("shared_objects.py:ShortLivedPointer", SHARED),
    ("shared_objects.py:EarlyPublication", SHARED),
    ("shared_objects.py:ReusedAddress", SHARED),
    ("shared_objects.py:GuardedUse", SHARED),
    ("consulted.py:OneBaseForAll", SHARED),
    ("readers.py:OwnTables", READ),
    ("hotplug.py:Resets", HOTPLUG),
    ("hotplug.py:AllocatesOnce", HOMEBOUND),
    ("followed.py:LoadsAtSwitch", FORKED),
    ("followed.py:NothingOnTheWay", PREEMPTED),
    ("livelocks.py:LoadsOnTheWay", ROWS),
    ("livelocks.py:Spoils", ROWS),
    ("livelocks.py:Repairs", ROWS),
]
IDLE_MARKED: Final = (
    "livelocks.py:MarksWhoRuns",
    Scenario(2, 2, 1, ROWS.events | {Event.CPU_OFFLINE}),
)
"""Idle tasks, which are part of the state here, bring CPUs up again."""


def model_of(name: str, scenario: Scenario) -> Model:
    """Return the model of a test's design."""
    return translate(load_design(f"{DESIGNS}/{name}"), scenario)


def failures(model: Model) -> list[str]:
    """Return the obligations that fail with every assumption made."""
    merging = Merging(model, frozenset(assumptions(model)))
    return [str(failure) for failure in commuting.Commuting(merging).failures()]


@pytest.mark.parametrize(("name", "scenario"), CASES)
def test_obligations_are_discharged(name: str, scenario: Scenario) -> None:
    """Every merged step of designs full of interference commutes with its rivals."""
    assert failures(model_of(name, scenario)) == []


def test_a_pointer_that_is_not_followed_hides_nothing() -> None:
    """A step that looks into an object only if there is one commutes, with no assumption at all."""
    model = model_of("shared_objects.py:GuardedUse", SHARED)
    commutes = commuting.Commuting(Merging(model))
    assert list(map(str, commutes.failures())) == []
    assert commutes.asked > 0


@pytest.mark.parametrize(("name", "scenario"), [*CASES[:3], *CASES[-4:], IDLE_MARKED])
def test_premises_are_kept(name: str, scenario: Scenario) -> None:
    """The premises hold in the initial state, and every step and event keeps them."""
    assert list(induction.broken_premises(model_of(name, scenario), scenario)) == []


def test_the_premises_of_readers_are_kept() -> None:
    """Whoever is stopped stays so, for one reader; were nobody stopped, that would be broken."""
    model = model_of("readers.py:OwnTables", READ)
    assert list(induction.broken_premises(model, READ)) == []
    (target,) = model.kernel.targets
    for rule in model.user_rules:
        if any(isinstance(s, Store) and s.field == target for s in rule.body):
            kept = [s for s in rule.body if not isinstance(s, Store) or s.field == target]
            model.user_rules[model.user_rules.index(rule)] = replace(rule, body=tuple(kept))
    broken = [str(each) for each in induction.broken_premises(model, READ)]
    assert any("who is forked or stopped" in each for each in broken)


def test_a_premise_that_is_not_kept_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the end of a row where a switch begins, a task that waits can be in one."""
    monkeypatch.setattr("iopermit.translate.environment.scheduler.forget_refusals", lambda *_: [])
    broken = list(induction.broken_premises(model_of("livelocks.py:Repairs", ROWS), ROWS))
    assert any("row of refusals" in str(each) for each in broken)


def _condition_never_asks(old: str) -> Callable[[pytest.MonkeyPatch], None]:
    def without(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Merging, old, lambda *_: ALWAYS)

    return without


def _writes_of_switching_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Compare what a step writes with what switching reads only (write-write)."""
    patch.setattr(
        Merging,
        "_apart_from_switching",
        lambda self, a: (
            a.field
            not in (self.footprints.switch_reads if a.write else self.footprints.switch_writes)
        ),
    )


def _no_boundary(patch: pytest.MonkeyPatch) -> None:
    """Merge the last step of a task, and the one that turns preemption off."""
    patch.setattr(Merging, "_is_boundary", lambda *_: False)


def _nobody_watches(patch: pytest.MonkeyPatch) -> None:
    """Rely on what nobody checks: that no shared object is written, that no pointer is left."""
    patch.setattr(commuting._Pair, "_watched", lambda *_: True)


def _nothing_exposed(patch: pytest.MonkeyPatch) -> None:
    """Trust that nobody looks into the records of other tasks."""
    original = Merging._condition

    def condition(self: Merging, step: object) -> Expr:
        self.footprints.exposed, self.footprints.foreign = frozenset(), frozenset()
        return original(self, step)  # type: ignore[arg-type]  # a step

    patch.setattr(Merging, "_condition", condition)


def _switches_hold_nothing(patch: pytest.MonkeyPatch) -> None:
    """Forget the pointers that a switch holds till its end."""
    original = Merging._condition

    def condition(self: Merging, step: object) -> Expr:
        self.footprints.switch_publishes = frozenset()
        return original(self, step)  # type: ignore[arg-type]  # a step

    patch.setattr(Merging, "_condition", condition)


def _rows_of_waiting_tasks(patch: pytest.MonkeyPatch) -> None:
    """Forget that a task which no CPU runs is in no row of refusals."""
    patch.setattr(premises, "_rows", lambda _: ALWAYS)


FAULTS: Final[list[tuple[str, Scenario, Callable[[pytest.MonkeyPatch], None]]]] = [
    ("lost_marks.py:Marked", PREEMPTED, _writes_of_switching_forgotten),
    ("lost_marks.py:MarkedOnce", PREEMPTED, _condition_never_asks("_no_change")),
    ("lost_marks.py:Marked", PREEMPTED, _no_boundary),
    ("shared_objects.py:ShortLivedPointer", SHARED, _nobody_watches),
    ("shared_objects.py:EarlyPublication", SHARED, _nothing_exposed),
    ("shared_objects.py:ReusedAddress", SHARED, _nobody_watches),
    ("shared_objects.py:ReusedAddress", SHARED, _condition_never_asks("_access")),
    ("consulted.py:OneBaseForAll", SHARED, _condition_never_asks("_access")),
    ("followed.py:LoadsAtSwitch", FORKED, _switches_hold_nothing),
    ("livelocks.py:Repairs", ROWS, _rows_of_waiting_tasks),
]


@pytest.mark.parametrize(("name", "scenario", "fault"), FAULTS)
def test_a_rule_without_its_premise_is_found_out(
    name: str,
    scenario: Scenario,
    fault: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one premise of the merging rules gone, some obligation fails."""
    fault(monkeypatch)
    assert failures(model_of(name, scenario))
