"""Tests of slots, poison and checked fields (src/iopermit/system/heap.py)."""

from typing import Annotated

import pytest

from iopermit.system.bitmap import Bitmap, Geometry, PortRange
from iopermit.system.crash import (
    DoubleFree,
    NullDereference,
    OutOfRange,
    RefcountOverflow,
    RefcountUnderflow,
    UseAfterFree,
)
from iopermit.system.heap import Pool, checked, copy_fields, heap_classes, new_record
from iopermit.system.records import (
    MAX_REFCOUNT,
    NULL,
    HeapObject,
    Longs,
    Range,
    Record,
    Ref,
    Refcount,
)

GEOMETRY = Geometry((0, 1, 1024), 64)
PORT_ZERO = PortRange(0, 1)


class Inner(HeapObject):
    """An object that another one refers to."""

    level: Annotated[int, Range(1, 3)] = 1


class Outer(HeapObject):
    """An object of every kind of field."""

    refcnt: Refcount = 0
    longs: Longs = 0
    inner: Ref[Inner] = NULL
    bitmap: Bitmap


class Holder(Record):
    """A record that is not on the heap."""

    outer: Ref[Outer] = NULL


@pytest.fixture
def pool() -> Pool:
    """Give a heap of three slots."""
    return Pool(Outer, 3, GEOMETRY)


def test_the_same_slot_is_the_same_object_with_fresh_contents(pool: Pool) -> None:
    """An address that is used again is the same pointer, and its memory is the new object's."""
    first = pool.take(1)
    first.refcnt = 5
    first.bitmap.fill()
    kept = first.bitmap
    pool.release(first)
    again = pool.take(1)
    assert again is first
    assert again.bitmap is kept
    assert again.refcnt == 0
    assert again.bitmap.allowed().all()


def test_every_access_to_freed_memory_is_a_crash(pool: Pool) -> None:
    """Reading, writing, and reading a bitmap that was looked up before the free all crash."""
    record = pool.take(0)
    bitmap = record.bitmap
    pool.release(record)
    with pytest.raises(UseAfterFree, match="refcnt"):
        _ = record.refcnt
    with pytest.raises(UseAfterFree, match="refcnt"):
        record.refcnt = 1
    with pytest.raises(UseAfterFree, match="words"):
        _ = bitmap.words


def test_a_copy_notices_that_its_source_was_freed_half_way(pool: Pool) -> None:
    """A bulk copy that goes on after its source was freed is a use after free."""
    source, target = pool.take(0), pool.take(1)
    steps = target.bitmap.copy_from_steps(source.bitmap)
    next(steps)
    next(steps)
    pool.release(source)
    with pytest.raises(UseAfterFree):
        next(steps)


def test_wrong_frees_are_crashes(pool: Pool) -> None:
    """Freeing twice, and freeing NULL, are reported."""
    record = pool.take(0)
    pool.release(record)
    with pytest.raises(DoubleFree):
        pool.release(record)
    with pytest.raises(NullDereference):
        pool.release(None)


def test_candidates_are_the_reused_slots_and_the_lowest_other(pool: Pool) -> None:
    """Free slots that something refers to can be reused; of the others only the lowest counts."""
    assert pool.candidates(set()) == [0]
    assert pool.candidates({id(pool.objects[2])}) == [0, 2]
    pool.take(0)
    assert pool.candidates({id(pool.objects[0]), id(pool.objects[1])}) == [1, 2]
    pool.take(1)
    pool.take(2)
    assert pool.candidates({id(pool.objects[2])}) == []


def test_a_used_slot_is_not_handed_out(pool: Pool) -> None:
    """Taking a slot in use is a mistake of the caller."""
    pool.take(0)
    with pytest.raises(ValueError, match="in use"):
        pool.take(0)


def test_fields_keep_their_declared_range() -> None:
    """Leaving a range, the map, or what a reference count can hold crashes; the ends do not."""
    outer = new_record(checked(Outer, 1024), GEOMETRY)
    outer.longs, outer.refcnt = 1024, MAX_REFCOUNT
    with pytest.raises(OutOfRange, match="longs = 1025"):
        outer.longs += 1
    with pytest.raises(RefcountOverflow):
        outer.refcnt += 1
    outer.refcnt = 0
    with pytest.raises(RefcountUnderflow):
        outer.refcnt -= 1
    inner = new_record(checked(Inner, 1024), GEOMETRY)
    inner.level = 3
    with pytest.raises(OutOfRange, match="declared 1 to 3"):
        inner.level = 0


def test_a_structure_copy_copies_the_contents_of_bitmaps() -> None:
    """After a copy the two bitmaps are equal but separate; pointers are shared."""
    source, target = new_record(Outer, GEOMETRY), new_record(Outer, GEOMETRY)
    source.longs = 4
    source.inner = Inner()
    source.bitmap.fill()
    copy_fields(source, target)
    assert target.longs == 4
    assert target.inner is source.inner
    assert target.bitmap is not source.bitmap
    source.bitmap.change(PORT_ZERO, True)
    assert not target.bitmap.allowed().any()


def test_heap_classes_are_found_through_references() -> None:
    """Classes that only another heap class refers to are found too."""
    assert heap_classes([Holder]) == [Outer, Inner]
