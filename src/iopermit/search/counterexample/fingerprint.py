"""What tells full-size states apart in which the same CPU runs user code, and all others wait."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeAlias

from iopermit.system.bitmap import Bitmap
from iopermit.system.records import (
    CounterUnit,
    FieldDeclaration,
    Record,
    declared_fields,
)

if TYPE_CHECKING:
    from iopermit.system.simulation import System

Fingerprint: TypeAlias = tuple[object, ...]


def fingerprint(system: System) -> Fingerprint:
    """Return a value that is the same in states from which the same can happen.

    It has the contents of all records, addresses as they are, sequence numbers by their first
    mention: a design can only compare them for equality. What waiting tasks and other CPUs hold in
    local variables is left out, so only states may be compared between which they did nothing.
    """
    return _Fingerprint(system).taken()


class _Fingerprint:
    def __init__(self, system: System) -> None:
        self._system = system
        self._addresses: dict[int, object] = {
            id(thread.record): ("task", thread.index) for thread in system.threads
        }
        for name, pool in system.pools.items():
            self._addresses |= {id(record): (name, i) for i, record in enumerate(pool.objects)}
        self._numbers: dict[object, int] = {0: 0}

    def taken(self) -> Fingerprint:
        system = self._system
        threads = [(t.mode, t.cpu, t.home, t.positions) for t in system.threads]
        used = [(name, *pool.used) for name, pool in system.pools.items()]
        return (*threads, *used, *map(self._record, system.records()))

    def _record(self, record: Record) -> Fingerprint:
        return tuple(
            self._value(declaration, getattr(record, declaration.name))
            for declaration in declared_fields(type(record))
        )

    def _value(self, declaration: FieldDeclaration, value: object) -> object:
        if type(value) is Bitmap:
            return value.words.tobytes()
        if isinstance(declaration.marker, CounterUnit):
            return self._numbers.setdefault(value, len(self._numbers))
        # type(), not isinstance(): freed memory does not tell its __class__.
        if issubclass(type(value), int | enum.Enum):
            return value
        # A record, in use or freed; a CPU's own TSS, which has no address here, is always the same.
        return self._addresses.get(id(value))
