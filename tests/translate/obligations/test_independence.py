"""Tests of the obligations that nothing depends on what reductions forget."""

from pathlib import Path
from typing import Final

import pytest

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.dead_fields import DeadFields
from iopermit.translate.analyses.hidden_maps import HiddenMaps
from iopermit.translate.analyses.late_arguments import LateArguments
from iopermit.translate.frontend.load import load_design
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import ALWAYS, Expr, Field
from iopermit.translate.translation import translate

independence = pytest.importorskip("iopermit.translate.obligations.independence", reason="needs z3")
forgotten = pytest.importorskip("iopermit.translate.obligations.forgotten", reason="needs z3")

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs"
EVENTS: Final = frozenset({
    Event.IOPERM, Event.FORK, Event.EXIT, Event.IO_THREAD, Event.DROP_PRIVILEGE,
    Event.PREEMPT, Event.MIGRATE,
})  # fmt: skip
SMALL: Final = Scenario(2, 2, 2, EVENTS)
NAMES: Final = ("linux-2.6.8", "linux-5.5")


def model_of(name: str) -> Model:
    """Return the model of a shipped design."""
    return translate(load_design(name), SMALL)


def failures(model: Model, what: object) -> list[str]:
    """Return the obligations that fail where something is forgotten."""
    return list(independence.Independence(model, what).failures())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_depends_on_dead_fields(name: str) -> None:
    """What a kernel thread inherited and what a dead task had can have any value."""
    model = model_of(name)
    dead = DeadFields(model)
    assert dead.dead(4, kernel_thread=False)
    assert failures(model, forgotten.ForgottenDead(dead)) == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_depends_on_open_arguments(name: str) -> None:
    """The range of an ioperm() call that nobody has looked at can be any of those there are."""
    model = model_of(name)
    late = LateArguments(model)
    assert late.open
    assert failures(model, forgotten.ForgottenArguments(late)) == []
    assert list(independence.unequal_calls(model, late)) == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_depends_on_the_hidden_maps_of_other_cpus(name: str) -> None:
    """No step of a CPU depends on a hidden map of another, or brings it to light."""
    model = model_of(name)
    hidden = HiddenMaps(model)
    assert hidden.is_possible
    assert failures(model, forgotten.ForgottenMaps(hidden)) == []


def test_a_field_that_is_taken_for_dead_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the privilege were forgotten everywhere, the calls that test it would depend on it."""
    model = model_of("linux-2.6.8")
    privileged = model.field("task", "privileged")
    dead = DeadFields(model)
    was = DeadFields.dead

    def too_much(self: DeadFields, pc: int, *, kernel_thread: bool) -> frozenset[Field]:
        return was(self, pc, kernel_thread=kernel_thread) | {privileged}

    monkeypatch.setattr(DeadFields, "dead", too_much)
    assert failures(model, forgotten.ForgottenDead(dead))


def test_grants_that_are_taken_for_dead_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the ports of a user task were forgotten, the specification would depend on them."""
    model = model_of("linux-2.6.8")
    granted = model.kernel.granted
    dead = DeadFields(model)
    monkeypatch.setattr(DeadFields, "dead", lambda *_, **__: frozenset({granted}))
    found = failures(model, forgotten.ForgottenDead(dead))
    assert found[0].startswith("the specification")


def test_an_argument_that_is_looked_at_is_found() -> None:
    """If a call stayed open up to the step that changes the map, that step would depend on it."""
    model = model_of("linux-2.6.8")
    late = LateArguments(model)
    known = late.open
    looking = {pc for pc, step in model.steps.items() if late._looks(step)}
    late.__dict__["open"] = known | looking
    assert looking
    assert failures(model, forgotten.ForgottenArguments(late))


def test_a_call_that_differs_in_more_than_its_range_is_found() -> None:
    """A call whose range is not the first must have its like among those that are kept."""
    model = model_of("linux-2.6.8")
    late = LateArguments(model)
    model.user_rules = [
        r for r in model.user_rules if late.value(r) != late.values[0] or r.arguments[-1][1]
    ]
    assert list(independence.unequal_calls(model, late))


def test_a_map_that_is_in_force_is_no_hidden_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """If maps were hidden whatever the base is, the specification would depend on them."""
    model = model_of("linux-2.6.8")

    def whatever(_: HiddenMaps) -> Expr:
        return ALWAYS

    monkeypatch.setattr(HiddenMaps, "condition", whatever)
    found = failures(model, forgotten.ForgottenMaps(HiddenMaps(model)))
    assert found[0].startswith("the specification")
