"""Memory of records: slots that are reused, poisoned when free, and fields that are checked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

from iopermit.system.bitmap import Bitmap, Geometry
from iopermit.system.crash import (
    DoubleFree,
    NullDereference,
    OutOfRange,
    RefcountOverflow,
    RefcountUnderflow,
    UseAfterFree,
)
from iopermit.system.records import (
    MAX_REFCOUNT,
    FieldDeclaration,
    HeapObject,
    LongsUnit,
    Range,
    Record,
    RefcountUnit,
    declared_fields,
)

R = TypeVar("R", bound=Record)


class Freed:
    """What the memory of a freed record or bitmap looks like: nothing in it can be touched."""

    def __getattribute__(self, name: str) -> NoReturn:
        """Refuse every read."""
        raise UseAfterFree(f"use after free: {name!r} of a freed object is read")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse every write."""
        raise UseAfterFree(f"use after free: {name!r} of a freed object is written")


class Pool:
    """The slots of one class of records. The slot number is the address.

    The same slot is always the same Python object, so that a dangling pointer refers to
    whatever the slot is used for next, as an address does.
    """

    def __init__(
        self,
        cls: type[Record],
        slots: int,
        geometry: Geometry,
        max_refcount: int = MAX_REFCOUNT,
    ) -> None:
        """Make `slots` free slots for objects of `cls`."""
        self._cls = checked(cls, geometry.real_longs, max_refcount)
        self.objects: list[Any] = [new_record(self._cls, geometry) for _ in range(slots)]
        self.used = [False] * slots
        for record in self.objects:
            self._set_class(record, Freed, Freed)

    def slot_of(self, record: object) -> int | None:
        """Return the slot (used or free) at the address of `record`, or None if not of here."""
        return next((i for i, known in enumerate(self.objects) if known is record), None)

    def take(self, slot: int) -> Any:  # noqa: ANN401 - an object of the pool's class
        """Use a free slot: defaults in every field, bitmaps all 0 (everything allowed)."""
        record = self.objects[slot]
        if self.used[slot]:
            message = f"slot {slot} is in use"
            raise ValueError(message)
        self.used[slot] = True
        self._set_class(record, self._cls, Bitmap)
        clear(record)
        return record

    def release(self, record: object) -> None:
        """Free a slot and poison its memory. Raises NullDereference and DoubleFree."""
        if record is None:
            raise NullDereference("free of NULL")
        slot = self.slot_of(record)
        if slot is None or not self.used[slot]:
            raise DoubleFree("double free")
        clear(self.objects[slot])
        self.used[slot] = False
        self._set_class(record, Freed, Freed)

    def in_use(self) -> Iterator[Any]:
        """Yield the objects in use, lowest slot first."""
        return (record for record, used in zip(self.objects, self.used, strict=True) if used)

    def candidates(
        self, referenced: Collection[int], below: int | None = None, *, reclaimed: bool = False
    ) -> list[int]:
        """Return the free slots (among the first `below`) that an allocator may hand out.

        These are the slots that something still refers to, so that a dangling pointer can meet
        a new object, and the lowest of the others, which differ from it only in name.

        Args:
            referenced: `id()` of every record that something refers to.
            below: how many slots to consider; all if None.
            reclaimed: slots in use that nothing refers to count as free.
        """
        free = [
            slot
            for slot, used in enumerate(self.used[:below])
            if not used or (reclaimed and id(self.objects[slot]) not in referenced)
        ]
        reused = [slot for slot in free if id(self.objects[slot]) in referenced]
        return sorted(reused + [slot for slot in free if slot not in reused][:1])

    def _set_class(self, record: object, cls: type, bitmap: type) -> None:
        # Only the class changes: it decides what every access to the memory does.
        for part in object.__getattribute__(record, "__dict__").values():
            if type(part) in (Bitmap, Freed):
                object.__setattr__(part, "__class__", bitmap)
        object.__setattr__(record, "__class__", cls)


def new_record(cls: type[R], geometry: Geometry) -> R:
    """Return a record with its bitmaps, in memory of their own."""
    record = cls()
    for declaration in declared_fields(cls):
        if declaration.type is Bitmap:
            setattr(record, declaration.name, Bitmap(geometry))
    return record


def clear(record: Record) -> None:
    """Set every field to its default and every bit of its bitmaps to 0."""
    record.reset()
    for bitmap in bitmaps(record).values():
        bitmap.words[:] = 0


def bitmaps(record: Record) -> dict[str, Bitmap]:
    """Return the bitmaps of a record by field name."""
    fields = declared_fields(type(record))
    return {d.name: getattr(record, d.name) for d in fields if d.type is Bitmap}


def copy_fields(source: Record, target: Record) -> None:
    """Copy every declared field, bitmaps by their contents: a structure copy."""
    for declaration in declared_fields(type(source)):
        if declaration.type is Bitmap:
            getattr(target, declaration.name).copy_from(getattr(source, declaration.name))
        else:
            setattr(target, declaration.name, getattr(source, declaration.name))


def referenced_records(record: Record) -> Iterator[object]:
    """Yield the records that the fields of `record` refer to."""
    for declaration in declared_fields(type(record)):
        value = None if declaration.type is Bitmap else getattr(record, declaration.name)
        # type(), not isinstance(): freed memory does not tell its __class__.
        if issubclass(type(value), (Record, Freed)):
            yield value


def heap_classes(records: Iterable[type[Record]]) -> list[type[HeapObject]]:
    """Return the heap classes that records refer to, directly or through one another."""
    found: list[type[HeapObject]] = []
    waiting = list(records)
    while waiting:
        for declaration in declared_fields(waiting.pop()):
            cls = declaration.type
            if inspect.isclass(cls) and issubclass(cls, HeapObject) and cls not in found:
                found.append(cls)
                waiting.append(cls)
    return found


def checked(cls: type[R], map_longs: int, max_refcount: int = MAX_REFCOUNT) -> type[R]:
    """Return `cls` with fields that crash the kernel when they leave their declared range."""
    return _checked(cls, map_longs, max_refcount)  # type: ignore[arg-type]  # mypy: "classes have no hash"


@functools.cache
def _checked(cls: type[R], map_longs: int, max_refcount: int) -> type[R]:
    checks = {
        d.name: check
        for d in declared_fields(cls)
        if (check := _check_of(d, map_longs, max_refcount)) is not None
    }

    def set_field(self: R, name: str, value: Any) -> None:  # noqa: ANN401 - any field
        if name in checks:
            checks[name](value)
        object.__setattr__(self, name, value)

    members = {"__setattr__": set_field, "__module__": cls.__module__, "__doc__": cls.__doc__}
    subclass = type(cls.__name__, (cls,), members)
    subclass.__qualname__ = cls.__qualname__
    return subclass


def _check_of(
    declaration: FieldDeclaration, map_longs: int, max_refcount: int
) -> Callable[[int], None] | None:
    match declaration.marker:
        case RefcountUnit():
            return functools.partial(_check_refcount, max_refcount)
        case LongsUnit():
            low, high = 0, map_longs
        case Range(low, high):
            pass
        case _:
            return None
    name = declaration.name

    def check(value: int) -> None:
        if not low <= value <= high:
            raise OutOfRange(f"value out of range: {name} = {value}, declared {low} to {high}")

    return check


def _check_refcount(most: int, value: int) -> None:
    if value < 0:
        raise RefcountUnderflow("reference count underflow")
    if value > most:
        raise RefcountOverflow("reference count saturated: references are never dropped")
