"""Declared state: the records, references and field types that a design's state is made of."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from iopermit.system.bitmap import Bitmap

T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """Marks a field that holds the address of another record, or NULL."""


@dataclass(frozen=True)
class Range:
    """Marks an integer field with its smallest and largest value, both included."""

    low: int
    high: int


@dataclass(frozen=True)
class LongsUnit:
    """Marks a count of machine words (longs) of a port bitmap, from 0 to all of them."""


@dataclass(frozen=True)
class CounterUnit:
    """Marks a value of an ever-growing counter that is only compared for equality."""


@dataclass(frozen=True)
class RefcountUnit:
    """Marks a count of references to a heap object."""


Ref = Annotated[T, Reference()]
"""A pointer to a record. As in C, the type does not say whether it is NULL; the search does."""

Longs = Annotated[int, LongsUnit()]
"""A number of longs of the bitmap (64 ports each, 32 on i386)."""

Sequence = Annotated[int, CounterUnit()]
"""A sequence number; 0 is never handed out."""

Refcount = Annotated[int, RefcountUnit()]
"""A reference count. More references than any schedule can hold is a crash, as in refcount_t."""

IoplLevel = Annotated[int, Range(0, 3)]
"""An I/O privilege level, 0 to 3."""

NULL: Final[Any] = None
"""The null pointer."""

MAX_REFCOUNT: Final = 15
"""A reference count above this is reported as saturated (refcount_t warns and sticks too)."""


class DeclarationError(TypeError):
    """A record declares a field that has no type of the language, or no default."""


@dataclass(frozen=True)
class FieldDeclaration:
    """One declared field: its name, its type without markers, its markers, its default."""

    name: str
    type: Any
    marker: object | None
    default: Any


class Record:
    """A piece of kernel state whose fields are declared by annotations with defaults.

    A field of type :class:`Bitmap` needs no default: it starts as the system makes it.
    """

    def __init__(self) -> None:
        """Set every declared field to its default."""
        self.reset()

    def reset(self) -> None:
        """Set every declared field except bitmaps to its default."""
        for declaration in declared_fields(type(self)):
            if declaration.type is not Bitmap:
                setattr(self, declaration.name, copy.copy(declaration.default))


class HeapObject(Record):
    """A record that lives on the kernel heap: allocated, referenced and freed."""


class Globals(Record):
    """State that exists once, shared by all CPUs."""


def declared_fields(record: type[Record]) -> tuple[FieldDeclaration, ...]:
    """Return the fields that ``record`` and its base classes declare, base classes first.

    Raises :class:`DeclarationError` for a field without default that is no bitmap.
    """
    return _declared_fields(record)  # type: ignore[arg-type]  # mypy thinks that classes cannot be hashed


@functools.cache
def _declared_fields(record: type[Record]) -> tuple[FieldDeclaration, ...]:
    fields: dict[str, FieldDeclaration] = {}
    for cls in reversed(record.__mro__):
        if cls in (object, Record) or not issubclass(cls, Record):
            continue
        for name, annotation in _annotations(cls).items():
            if typing.get_origin(annotation) is not typing.ClassVar:
                fields[name] = _declaration(cls, name, annotation)
    return tuple(fields.values())


def _annotations(cls: type) -> dict[str, Any]:
    """Return the annotations that ``cls`` itself makes, evaluated in its module and class."""
    module = vars(sys.modules[cls.__module__])
    outer: dict[str, Any] = dict(vars(cls))
    for name in cls.__qualname__.split(".")[:-1]:
        enclosing = outer.get(name, module.get(name))
        if inspect.isclass(enclosing):
            outer.update(vars(enclosing))
    own = vars(cls).get("__annotations__", {})
    return {
        name: eval(value, module, outer) if isinstance(value, str) else value  # noqa: S307 - the design's own annotation
        for name, value in own.items()
    }


def _declaration(cls: type, name: str, annotation: Any) -> FieldDeclaration:  # noqa: ANN401 - any annotation
    """Split one annotation into type and marker and find its default."""
    arguments = typing.get_args(annotation)
    optional = type(None) in arguments
    if optional:
        annotation = next(a for a in arguments if a is not type(None))
    marker = None
    if typing.get_origin(annotation) is Annotated:
        annotation, marker = typing.get_args(annotation)[:2]
    if optional and marker is None:
        marker = Reference()
    if annotation is Bitmap:
        return FieldDeclaration(name, Bitmap, None, None)
    if name not in vars(cls):
        message = f"{cls.__qualname__}.{name}: a declared field needs a default value"
        raise DeclarationError(message)
    return FieldDeclaration(name, annotation, marker, vars(cls)[name])
