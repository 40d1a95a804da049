"""Full-size state in the terms of the scenario, for comparison with the state of the search."""

from __future__ import annotations

import enum
from typing import Any

from iopermit import arch
from iopermit.arch.lazy import np
from iopermit.system.bitmap import Bitmap, Geometry
from iopermit.system.execution import Mode, Processor, Thread
from iopermit.system.machine_state import Tss
from iopermit.system.records import FieldDeclaration, LongsUnit, Record, Reference, declared_fields
from iopermit.system.simulation import System

Fields = dict[str, Any]


class ProjectionError(ValueError):
    """The ports that a long of the scenario stands for do not agree, so it has no one bit."""


def snapshot(system: System) -> dict[str, list[Fields | None]]:
    """Return the fields of all records: by record class (or task, cpu, tss, globals) and slot.

    Values are numbers: a bitmap has bit i set if scenario long i is denied; a reference is the
    slot + 1, NULL 0; a count of longs counts scenario longs; an enumeration gives its value. A
    sequence number is the real one. A free slot is None. The control state comes with the tasks
    (mode, home, granted: bit set if the long is granted, granted_iopl, refusals) and CPUs
    (following);
    `positions` tells for both where the next step stands.

    Raises:
        ProjectionError: part of a block is allowed and part is not, or granted and not.
    """
    project = _Projection(system)
    result: dict[str, list[Fields | None]] = {
        "task": [project.task(thread) for thread in system.threads],
        "cpu": [project.cpu(processor) for processor in system.processors],
        "tss": [project.fields(processor.tss) for processor in system.processors],
        "globals": [project.fields(system.design.globals)],
    }
    for name, pool in system.pools.items():
        slots = zip(pool.objects, pool.used, strict=True)
        result[name] = [project.fields(record) if used else None for record, used in slots]
    return result


class _Projection:
    def __init__(self, system: System) -> None:
        self._geometry = system.geometry
        self._addresses = {id(t.record): t.index + 1 for t in system.threads}
        for pool in system.pools.values():
            self._addresses |= {id(record): i + 1 for i, record in enumerate(pool.objects)}

    def task(self, thread: Thread) -> Fields | None:
        if thread.mode is Mode.FREE:
            return None
        ports = thread.grants.ports[: self._geometry.ports]
        return self.fields(thread.record) | {
            "mode": thread.mode.value,
            "positions": thread.positions,
            "home": thread.home,
            "granted": _blocks(self._geometry, ports.reshape(self._geometry.real_longs, -1)),
            "granted_iopl": int(thread.grants.iopl == arch.MAX_PRIVILEGE_LEVEL),
            "refusals": thread.refusals,
        }

    def cpu(self, processor: Processor) -> Fields:
        following = processor.following
        return self.fields(processor.record) | {
            "positions": processor.positions,
            "following": 0 if following is None else following.index + 1,
        }

    def fields(self, record: Record) -> Fields:
        values = ((d, getattr(record, d.name)) for d in declared_fields(type(record)))
        # type(), not isinstance(): freed memory does not tell its __class__.
        shown = ((d, value) for d, value in values if not issubclass(type(value), Tss))
        return {d.name: self._number(d, value) for d, value in shown}

    def _number(self, declaration: FieldDeclaration, value: Any) -> int:  # noqa: ANN401 - any field
        if type(value) is Bitmap:
            ones = np.unpackbits(value.words.view(np.uint8)).view(np.bool_)
            return _blocks(self._geometry, ones.reshape(self._geometry.real_longs, -1))
        if isinstance(declaration.marker, Reference):
            return 0 if value is None else self._addresses[id(value)]
        if isinstance(declaration.marker, LongsUnit):
            return self._geometry.scenario_longs(value)
        return int(value.value if isinstance(value, enum.Enum) else value)


def _blocks(geometry: Geometry, longs: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """Return one bit for each scenario long from one row of bits for each real long."""
    result = 0
    for number, block in enumerate(geometry.blocks(geometry.real_longs)):
        bits = longs[block]
        if bits.any() and not bits.all():
            message = f"scenario long {number} stands for ports that differ"
            raise ProjectionError(message)
        result |= int(bits.any()) << number
    return result
