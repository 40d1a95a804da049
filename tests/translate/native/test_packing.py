"""Tests where packing puts fields: nothing that is alive shares bits, and all is found again."""

import itertools
import random

import pytest
from tests.support.translate.small_models import (
    HEAP,
    KERNEL,
    LEVEL,
    OTHER,
    VARIABLE,
    own,
    small_model,
    step,
)

from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import CPU, KERNEL_THREAD, Const, Field, Store
from iopermit.translate.native.packing import WORD, Packing, Place

POINTER = Field("task", "hook.p", 2, "ref", HEAP, high=2, local=True)
SECOND = Field("task", "hook.q", 2, "ref", HEAP, high=2, local=True)
TO_TASK = Field("task", "hook.t", 2, "ref", "task", high=3, local=True)
NUMBER = Field("task", "hook.n", 2, "counter", high=3, local=True)


def with_variables(*variables: Field, together: tuple[Field, ...] = ()) -> Model:
    """Return a model with these local variables; some are needed at the same time."""
    model = small_model([step(0)])
    model.fields = [field for field in model.fields if not field.local] + list(variables)
    model.live_together = [frozenset(together)]
    return model


def overlap(one: Place, other: Place) -> bool:
    """Return whether two places have a bit in common."""
    return one.word == other.word and bool(one.mask & other.mask)


def test_declared_fields_of_a_record_share_nothing() -> None:
    """Every field that is no local variable has bits of its own."""
    packing = Packing(small_model([step(0)]))
    declared = [field for field in packing.model.fields if not field.local]
    for one, other in itertools.combinations(declared, 2):
        if one.record == other.record:
            assert not overlap(packing.places[one], packing.places[other]), (one.name, other.name)


def test_no_field_crosses_a_word() -> None:
    """Thirty fields of three bits do not fit into one word: none is cut in two."""
    model = with_variables()
    wide = [Field("task", f"f{number}", 3, high=7) for number in range(30)]
    model.fields += wide
    packing = Packing(model)
    assert all(packing.places[field].shift + 3 <= WORD for field in wide)
    assert packing.words_per_slot["task"] == 2


def test_variables_that_are_never_alive_together_share_bits() -> None:
    """Two variables of different functions need the room of one."""
    packing = Packing(with_variables(VARIABLE, OTHER))
    assert packing.places[VARIABLE] == packing.places[OTHER]


def test_variables_that_are_alive_together_share_nothing() -> None:
    """Two variables of one function have bits of their own."""
    packing = Packing(with_variables(VARIABLE, OTHER, together=(VARIABLE, OTHER)))
    assert not overlap(packing.places[VARIABLE], packing.places[OTHER])


@pytest.mark.parametrize("other", [TO_TASK, NUMBER, VARIABLE], ids=lambda field: field.name)
def test_pointers_share_only_with_pointers_to_the_same(other: Field) -> None:
    """Else renaming would take a plain number for a pointer, whatever the task does."""
    packing = Packing(with_variables(POINTER, other))
    assert not overlap(packing.places[POINTER], packing.places[other])


def test_pointers_to_the_same_share_exactly() -> None:
    """Two pointers of one kind lie at the same place, or not in each other's bits at all."""
    apart = Packing(with_variables(POINTER, SECOND))
    assert apart.places[POINTER] == apart.places[SECOND]
    together = Packing(with_variables(POINTER, SECOND, together=(POINTER, SECOND)))
    assert not overlap(together.places[POINTER], together.places[SECOND])


def test_zones_are_the_places_of_a_kind() -> None:
    """What shares a place is one zone; pointers to other records are none of it."""
    packing = Packing(with_variables(POINTER, SECOND, TO_TASK))
    zones = packing.zones("ref", HEAP)
    assert ("task", packing.places[POINTER]) in zones
    assert ("task", packing.places[TO_TASK]) not in zones
    assert len(zones) == len(set(zones))


def test_values_come_back_from_words() -> None:
    """What is packed into the words of a state is read from them again, for every slot."""
    model = small_model([step(0)])
    model.live_together = [frozenset(field for field in model.fields if field.local)]
    packing, rng = Packing(model), random.Random(1)
    values = {
        (field.record, field.name): [
            rng.randrange(1 << field.width) for _ in range(model.counts[field.record])
        ]
        for field in model.fields
    }
    assert packing.values(packing.working(values)) == values


def test_the_stored_form_keeps_every_used_bit() -> None:
    """Each word's part is as wide as its highest used bit; slots of all records are there."""
    packing = Packing(small_model([step(0, Store(LEVEL, CPU, Const(1)), context="cpu")]))
    widths = {part.word: part.width for part in packing.parts}
    for field, place in packing.places.items():
        for slot in range(packing.model.counts[field.record]):
            word = packing.word(field.record, slot, place.word)
            assert widths[word] >= place.shift + place.width
    assert packing.stored_bits == sum(widths.values())
    assert packing.stored_words == -(-packing.stored_bits // WORD)


def test_idle_tasks_are_stored_only_if_switching_writes_tasks() -> None:
    """An idle task's record never changes unless a context switch stores into one."""
    reads = Packing(small_model([step(0, Store(KERNEL.bad, Const(0), own(LEVEL)), context="cpu")]))
    writes = Packing(small_model([step(0, Store(LEVEL, CPU, Const(1)), context="cpu")]))
    task = [packing.word("task", 2, 0) for packing in (reads, writes)]
    stored = [{part.word for part in packing.parts} for packing in (reads, writes)]
    assert (task[0] in stored[0], task[1] in stored[1]) == (False, True)


def test_idle_tasks_are_kernel_threads_with_default_values() -> None:
    """What is not stored of them is written as the words of a plain kernel thread."""
    model = small_model([step(0)])
    model.idle = {"level": 2}
    packing = Packing(model)
    words = [0] * packing.words
    for (record, slot, word), value in packing.idle_words().items():
        words[packing.word(record, slot, word)] = value
    values = packing.values(words)
    assert values["task", "pc"] == [0, 0, KERNEL_THREAD]
    assert values["task", "level"] == [0, 0, 2]
