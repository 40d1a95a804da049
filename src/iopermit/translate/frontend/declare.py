"""Turns the declared records of a design into fields of the intermediate form."""

from __future__ import annotations

import enum
import inspect
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap
from iopermit.system.records import (
    MAX_REFCOUNT,
    CounterUnit,
    DeclarationError,
    FieldDeclaration,
    Globals,
    HeapObject,
    LongsUnit,
    Range,
    Record,
    RefcountUnit,
    Reference,
    declared_fields,
)
from iopermit.translate.frontend.source import DesignError, class_site
from iopermit.translate.model.nodes import Field, RecordName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario


_BASES: Final[dict[RecordName, type[Record]]] = {
    "task": machine_state.Task,
    "cpu": machine_state.Cpu,
    "tss": machine_state.Tss,
    "globals": Globals,
}


@dataclass(frozen=True)
class Declarations:
    """The records of a design: slots and fields of each, and the heap classes by name."""

    counts: dict[RecordName, int]
    fields: list[Field]
    heap: dict[RecordName, type[HeapObject]]
    counter_values: int
    """How many different counter values can be held at once."""
    defaults: dict[tuple[RecordName, str], int]
    """Default values that are not 0, as numbers."""
    longs: frozenset[tuple[RecordName, str]] = frozenset()
    """Fields that count longs of a map."""


@dataclass(frozen=True)
class _Sizes:
    """Everything that the width of a field depends on."""

    records: dict[RecordName, type[Record]]
    counts: dict[RecordName, int]
    scenario: Scenario
    counter_values: int


_OF_EVERY_CLASS: Final = frozenset({"__dict__", "__weakref__"})
"""Attributes of a class that Python makes, and that are descriptors."""
_MOST_NUMBER = (1 << 15) - 1
"""The largest number that a field may hold: what is larger is no bound for a search."""


def heap_slots(scenario: Scenario) -> int:
    """Return how many objects of one heap class can be alive at once.

    A task holds at most its map and one more while ioperm() replaces it; an execution that needs
    more is reported, never cut off.
    """
    return 2 * scenario.tasks


def declare(design: type[Design], scenario: Scenario) -> Declarations:
    """Return the records of ``design``.

    Raises DesignError for a field or a class that the state of a design cannot have, and for a
    scenario with more longs than a map has.
    """
    real = design.layout.map_ports // design.layout.long_bits
    if scenario.longs > real:
        raise DesignError(
            class_site(design),
            f"a map has {real} longs, fewer than the {scenario.longs} of the scenario",
            f"--longs {real}",
        )
    records: dict[RecordName, type[Record]] = {
        "task": design.Task,
        "cpu": design.Cpu,
        "tss": design.Tss,
        "globals": design.Globals,
    }
    for name, base in _BASES.items():
        _check_inherited(records[name], base)
    heap: dict[RecordName, type[HeapObject]] = {}
    for record in records.values():
        _find_heap_classes(record, heap)
    for name in heap.keys() & records.keys():
        raise DesignError(
            class_site(heap[name]),
            f"{name!r} is the name of another record",
            f"class {name}_object:",
        )
    records |= heap
    counts = {
        "task": scenario.tasks + scenario.cpus,
        "cpu": scenario.cpus,
        "tss": scenario.cpus,
        "globals": 1,
    }
    counts |= {name: heap_slots(scenario) for name in heap}
    every = [(record, cls, d) for record, cls in records.items() for d in _declarations(cls)]
    for _, cls, declaration in every:
        _check_default(cls, declaration)
    # One value per field that can hold one, one per task for a local variable, one to spare.
    values = (
        scenario.tasks
        + 1
        + sum(counts[r] for r, _, d in every if isinstance(d.marker, CounterUnit))
    )
    context = _Sizes(records, counts, scenario, values)
    fields = [field for r, cls, d in every if (field := _field(r, cls, d, context)) is not None]
    fields += [Field(name, "in_use", 1, "bool", high=1) for name in heap]
    defaults = {(r, d.name): number for r, _, d in every if (number := _number(d.default))}
    longs = frozenset((r, d.name) for r, _, d in every if isinstance(d.marker, LongsUnit))
    return Declarations(counts, fields, heap, values, defaults, longs)


def refuse_reserved_names(
    design: type[Design], declared: Declarations, reserved: Iterable[Field]
) -> None:
    """Raise DesignError if a design declares a field that the system has, under the same name."""
    classes = {"task": design.Task, "cpu": design.Cpu, "tss": design.Tss, "globals": design.Globals}
    classes |= declared.heap
    taken = Counter((f.record, f.name) for f in (*declared.fields, *reserved))
    for (record, name), times in taken.items():
        if times > 1:
            message = f"the system itself has a field {name!r} of this record"
            raise DesignError(class_site(classes[record]), message, f"own_{name}: ...")


def _check_default(cls: type[Record], declaration: FieldDeclaration) -> None:
    """Check that the default of a field that is no number is a value that it can have.

    Raises DesignError.
    """
    name, kind, marker = declaration.name, declaration.type, declaration.marker
    default: object = declaration.default
    right, wanted = True, ""
    if isinstance(marker, Range):
        least, most = marker.low, marker.high
        right = type(least) is int and type(most) is int and 0 <= least <= most <= _MOST_NUMBER
        wanted = f"Range(low, high) with 0 <= low <= high <= {_MOST_NUMBER}"
    elif isinstance(marker, LongsUnit):
        right, wanted = default == 0 and type(default) is int, "0"
    elif kind is bool:
        right, wanted = isinstance(default, bool), "False or True"
    elif isinstance(marker, Reference):
        right, wanted = default is None, "NULL"
    if not right:
        message = f"field {name!r} of {cls.__name__} starts as {default!r:.40}"
        raise DesignError(class_site(cls), message, wanted)


def _number(default: object) -> int:
    if isinstance(default, enum.Enum):
        return int(default.value)
    return int(default) if isinstance(default, int) else 0


def _find_heap_classes(record: type[Record], found: dict[RecordName, type[HeapObject]]) -> None:
    """Add the heap classes that a record refers to, directly or through one another."""
    for declaration in _declarations(record):
        kind = declaration.type
        if inspect.isclass(kind) and issubclass(kind, HeapObject) and kind.__name__ not in found:
            found[kind.__name__] = kind
            _find_heap_classes(kind, found)


def _check_inherited(record: type[Record], base: type[Record]) -> None:
    """Refuse another type for a field that the system itself uses."""
    types = {each.name: (each.type, each.marker) for each in _declarations(record)}
    for each in _declarations(base):
        kind = types.get(each.name)
        if each.marker is None and kind != (each.type, None):
            raise DesignError(
                class_site(record),
                f"the field {each.name!r} of every {base.__name__} is declared with another type",
                f"another name, or {each.name}: {getattr(each.type, '__name__', each.type)}",
            )


def _refuse_code(cls: type[Record]) -> None:
    """Refuse a record with anything but fields: executed, it could be more than the model knows."""
    for each in cls.__mro__:
        if each is object or each.__module__.startswith("iopermit."):
            continue
        for name, value in vars(each).items():
            if name not in _OF_EVERY_CLASS and not inspect.isclass(value) and _is_code(value):
                message = f"{each.__name__} has {name}, which is no field"
                raise DesignError(class_site(each), message, "fields only: name: Type = default")


def _is_code(value: object) -> bool:
    """Return whether an attribute of a class is more than a value: a method, a property."""
    return any(hasattr(type(value), way) for way in ("__get__", "__set__", "__delete__"))


def _declarations(cls: type[Record]) -> tuple[FieldDeclaration, ...]:
    _refuse_code(cls)
    try:
        return declared_fields(cls)
    except (DeclarationError, NameError) as error:
        raise DesignError(class_site(cls), str(error), "name: Type = default") from error


def _field(
    record: RecordName, cls: type[Record], declaration: FieldDeclaration, context: _Sizes
) -> Field | None:
    name, marker, kind = declaration.name, declaration.marker, declaration.type
    longs = context.scenario.longs
    if marker == "this CPU's own TSS":
        return None
    if kind is Bitmap:
        return Field(record, name, longs, "bitmap", declared=True, high=(1 << longs) - 1)
    if kind is bool:
        return Field(record, name, 1, "bool", declared=True, high=1)
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        high = _highest(kind)
        return Field(record, name, bits(high), "enum", declared=True, high=high)
    if isinstance(marker, Reference) and inspect.isclass(kind):
        target = next(
            (r for r, c in context.records.items() if issubclass(c, kind) or issubclass(kind, c)),
            "",
        )
        if target:
            high = context.counts[target]
            return Field(record, name, bits(high), "ref", target, declared=True, high=high)
    limits = _limits(marker, context)
    if kind is int and limits is not None:
        low, high = limits
        if not low <= _number(declaration.default) <= high:
            message = f"the default of {name!r} is not among its values, {low} to {high}"
            raise DesignError(class_site(cls), message, f"{name} = {low}")
        return Field(record, name, bits(high), _kind(marker), low=low, high=high, declared=True)
    raise DesignError(
        class_site(cls),
        f"field {name!r} has the type {kind!r}, which the state of a design cannot have",
        "bool, Longs, Sequence, Refcount, Annotated[int, Range(0, 7)], "
        "an Enum, Bitmap or Ref[Class]",
    )


def _highest(kind: type[enum.Enum]) -> int:
    """Return the highest value of an enumeration. Raises DesignError if they are no numbers."""
    values = [member.value for member in kind]
    if not values or not all(isinstance(value, int) and value >= 0 for value in values):
        remedy = "FIRST = 0, SECOND = 1"
        raise DesignError(class_site(kind), "the values are not all numbers from 0 on", remedy)
    return max(map(int, values))


def _limits(marker: object, context: _Sizes) -> tuple[int, int] | None:
    if isinstance(marker, LongsUnit):
        return 0, context.scenario.longs
    if isinstance(marker, RefcountUnit):
        return 0, MAX_REFCOUNT
    if isinstance(marker, Range):
        return (marker.low, marker.high) if marker.low >= 0 else None
    if isinstance(marker, CounterUnit):
        return 0, context.counter_values
    return None


def _kind(marker: object) -> Literal["counter", "int"]:
    return "counter" if isinstance(marker, CounterUnit) else "int"


def bits(high: int) -> int:
    """Return how many bits a value from 0 to ``high`` needs."""
    return max(1, high.bit_length())
