"""Tests what of a TSS may hold a hidden map, and when, on models of a step or two."""

import pytest
from tests.support.translate.small_models import (
    BASE,
    FLAG,
    HEAP,
    own,
    small_model,
    step,
)

from iopermit.translate.analyses.hidden_maps import MOST_BITS, HiddenMaps, hidden_maps
from iopermit.translate.model.builder import differ, either, equal, every, negate
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import CPU, USER, Const, Field, Load, Stmt, Store

BITMAP = Field("tss", "bitmap", 2, "bitmap", high=3, declared=True)
MARK = Field("tss", "mark", 3, high=7, declared=True)
"""What a design notes about the map."""
NUMBER = Field("tss", "number", 3, "counter", high=7, declared=True)
HOLDER = Field("task", "number", 3, "counter", high=7, declared=True)
POINTER = Field("tss", "owner", 2, "ref", HEAP, high=2, declared=True)
VALID = equal(Load(BASE, CPU), 0)


def mapped(*body: Stmt, fields: tuple[Field, ...] = (BITMAP, MARK)) -> Model:
    """Return a model whose TSS has these fields and a base that decides about the map."""
    model = small_model([step(0, *body, to=USER, off=True)], cpus=2)
    model.fields += fields
    model.consulted = frozenset({BASE, BITMAP})
    model.map_is_valid = VALID
    return model


def test_the_map_and_what_is_noted_about_it_is_hidden() -> None:
    """The base is consulted always, so it is no part of what is behind it."""
    assert HiddenMaps(mapped()).fields == (BITMAP, MARK)
    assert HiddenMaps(mapped()).is_possible


def test_a_map_is_hidden_where_the_base_is_invalid() -> None:
    """The processor does not look at it."""
    assert HiddenMaps(mapped()).condition() == negate(VALID)


def test_a_tss_that_refers_to_an_object_hides_nothing() -> None:
    """The object would lose a reference."""
    hidden = HiddenMaps(mapped(fields=(BITMAP, POINTER)))
    assert hidden.fields == (BITMAP,)
    assert hidden.condition() == every(negate(VALID), equal(Load(POINTER, CPU), 0))


def test_a_number_that_something_else_holds_is_not_hidden() -> None:
    """Where an equal number is anywhere, the design could compare the two."""
    hidden = HiddenMaps(mapped(fields=(BITMAP, NUMBER, HOLDER)))
    number = Load(NUMBER, CPU)
    slots = hidden.model.counts["task"]
    apart = every(*(differ(number, Load(HOLDER, Const(slot))) for slot in range(slots)))
    assert hidden.condition() == every(negate(VALID), either(equal(number, 0), apart))


def test_of_a_number_only_counts_whether_it_is_zero() -> None:
    """Numbers that nothing else holds are alike: one bit tells what there is to tell."""
    assert HiddenMaps(mapped(fields=(BITMAP, NUMBER))).bits == BITMAP.width + 1
    assert HiddenMaps(mapped()).bits == BITMAP.width + MARK.width


def test_a_fresh_tss_has_a_number_of_its_own() -> None:
    """The fields that bring-up leaves, one behind the other."""
    model = mapped()
    model.brought_up = {("tss", "bitmap"): [3, 3], ("tss", "mark"): [5, 5]}
    assert HiddenMaps(model).fresh_number == 3 | 5 << BITMAP.width


def test_cpus_that_come_up_differently_hide_nothing() -> None:
    """There would be no one fresh map to put in the place of all."""
    model = mapped()
    model.brought_up = {("tss", "bitmap"): [3, 3], ("tss", "mark"): [5, 4]}
    assert not HiddenMaps(model).is_possible


@pytest.mark.parametrize("write", [True, False])
def test_a_tss_that_another_cpu_touches_is_not_hidden(write: bool) -> None:
    """Only the steps of its own CPU are tried with every hidden map."""
    other = Const(1)
    body = Store(MARK, other, Const(0)) if write else Store(FLAG, CPU, Load(MARK, other))
    assert not HiddenMaps(mapped(body)).is_possible


def test_a_base_that_depends_on_more_than_its_cpu_hides_nothing() -> None:
    """Whoever changes a task's field could make the map of a CPU visible."""
    model = mapped()
    model.map_is_valid = own(FLAG)
    assert not HiddenMaps(model).is_possible


def test_too_many_bits_are_not_tried() -> None:
    """Every combination may have to be tried."""
    fits = Field("tss", "fits", MOST_BITS - BITMAP.width, high=1, declared=True)
    wide = Field("tss", "wide", MOST_BITS - BITMAP.width + 1, high=1, declared=True)
    assert HiddenMaps(mapped(fields=(BITMAP, fits))).is_possible
    assert not HiddenMaps(mapped(fields=(BITMAP, wide))).is_possible


def test_without_a_map_there_is_nothing_to_hide() -> None:
    """A TSS of which all is consulted has no hidden part."""
    assert hidden_maps(mapped(fields=()), renamed=True) is None


def test_numbers_are_hidden_only_where_they_are_renamed() -> None:
    """Else every number is a state of its own."""
    model = mapped(fields=(BITMAP, NUMBER))
    assert hidden_maps(model, renamed=True) is not None
    assert hidden_maps(model, renamed=False) is None
    assert hidden_maps(mapped(), renamed=False) is not None
