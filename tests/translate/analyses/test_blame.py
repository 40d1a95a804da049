"""Tests that each CPU remembers the statement that last wrote what it consults."""

from dataclasses import replace

from tests.support.translate.small_models import (
    BASE,
    FLAG,
    SITE,
    at,
    own,
    small_model,
    step,
)

from iopermit.translate.analyses.blame import add_blame, blamed
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import CPU, TASK, USER, Const, Goto, If, Store

WRITE = Store(BASE, CPU, Const(1))
OTHER_SITE = replace(SITE, line=2)


def blaming() -> Model:
    """Return a model of two statements that write the base, on one branch each, with blame."""
    first = step(0, If(own(FLAG), (WRITE,)), to=at(1))
    second = step(1, WRITE, Store(FLAG, TASK, Const(0)), to=USER)
    second.site = OTHER_SITE
    end = step(2, WRITE, to=USER)
    end.site = None
    model = small_model([first, second, end])
    add_blame(model, frozenset({BASE}))
    return model


def test_every_write_is_noted_at_once() -> None:
    """Behind each store to what the processor consults the statement's number is stored."""
    model = blaming()
    assert model.blame is not None
    first, second = (Store(model.blame, CPU, Const(number)) for number in (1, 2))
    assert model.steps[at(0)].body == (If(own(FLAG), (WRITE, first)), Goto(at(1)))
    assert model.steps[at(1)].body == (
        WRITE,
        second,
        Store(FLAG, TASK, Const(0)),
        Goto(USER),
    )


def test_steps_of_the_environment_are_not_blamed() -> None:
    """A step without a statement leaves the blame as it is."""
    assert blaming().steps[at(2)].body == (WRITE, Goto(USER))


def test_numbers_stand_for_statements() -> None:
    """Statements are numbered from 1; 0 is none; the field has room for all."""
    model = blaming()
    assert model.sites == (SITE, OTHER_SITE)
    assert [blamed(model, at(pc)) for pc in range(4)] == [1, 2, 0, 0]
    assert model.blame in model.fields
    assert model.blame is not None
    assert model.blame.width == 2
