"""Tests of `check --obligations`: what is discharged, and what a failure does to the verdict."""

from typing import Final

import pytest

from iopermit.search.check import check
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.dead_fields import DeadFields
from iopermit.translate.analyses.merging import Merging
from iopermit.translate.analyses.reductions import Reductions
from iopermit.translate.frontend.load import load_design
from iopermit.translate.model.nodes import FIRST_STEP, Field

pytest.importorskip("z3", reason="needs z3")

SMALL: Final = Scenario(
    2, 2, 1, frozenset({Event.IOPERM, Event.EXIT, Event.PREEMPT, Event.MIGRATE})
)


def test_a_design_that_holds_has_its_obligations_discharged() -> None:
    """The premises and every reduction that is on and applies are named, and nothing fails."""
    verdict = check(load_design("linux-2.6.8"), SMALL, with_obligations=True)
    found = verdict.search.obligations
    assert verdict.verdict == "holds"
    assert found is not None
    assert found.failures == ()
    assert found.asked > 100
    assert found.of[0] == "premises"
    assert {"symmetry", "merging of steps", "dead fields"} <= set(found.of)


def test_reductions_that_are_off_need_no_obligations() -> None:
    """Without reductions only the premises are asked."""
    off = Reductions(*[False] * 6)
    verdict = check(load_design("linux-2.6.8"), SMALL, reductions=off, with_obligations=True)
    assert verdict.search.obligations is not None
    assert verdict.search.obligations.of == ("premises",)


@pytest.mark.usefixtures("own_cache")
def test_a_failing_obligation_leaves_the_verdict_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field wrongly taken for dead makes the verdict undetermined and names the remedy."""
    was = DeadFields.dead

    def too_much(self: DeadFields, pc: int, *, kernel_thread: bool) -> frozenset[Field]:
        found = was(self, pc, kernel_thread=kernel_thread)
        return found | {self.model.kernel.granted} if pc >= FIRST_STEP else found

    monkeypatch.setattr(DeadFields, "dead", too_much)
    verdict = check(load_design("linux-2.6.8"), SMALL, with_obligations=True)
    assert verdict.verdict == "undetermined"
    assert "an obligation is not discharged: dead fields: " in verdict.reason
    assert verdict.reason.endswith("try --no-dead-fields")


@pytest.mark.usefixtures("own_cache")
def test_a_violation_needs_no_obligations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that full size confirms counts, however steps were merged."""
    monkeypatch.setattr(Merging, "_is_boundary", lambda *_: False)
    verdict = check(load_design("linux-v2-06"), with_obligations=True)
    assert verdict.verdict == "violated"
    assert verdict.search.obligations is None
