"""Values of expressions, the names that code can use, and what is constant."""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.certify.language.source import Method
    from iopermit.certify.state import Column, Read
    from iopermit.system.design import Design

_MISSING: Final = object()


@dataclass(frozen=True)
class Value:
    """What an expression means: how to read it, and what it is."""

    read: Read
    kind: str
    """bool, int, longs (how many), enum, result (an error number), counter, ports, bitmap, ref."""
    target: str = ""
    """The record that a reference refers to; empty: NULL."""
    constant: int | None = None
    place: tuple[Column, Read] | None = None
    """The field (and how to find its slot) that can be assigned."""
    own: bool = False
    """Whether it is the CPU, or the task, whose code is executed."""


@dataclass
class Scope:
    """The names in one call of a method.

    Arguments are names and constants of the caller, whose values cannot change during the call.
    So a parameter stands for what the caller wrote.
    """

    method: Method
    names: dict[str, Callable[[], Value]] = field(default_factory=dict)
    prefix: str = ""
    """What the names of its local variables begin with."""


_LARGEST: Final = (1 << 31) - 1
"""The largest number that a column of states can hold."""


class Constants:
    """Finds out what is constant: numbers, and what the design's class and module define."""

    def __init__(self, design: type[Design], variables: Mapping[str, Column]) -> None:
        """Look at code of ``design`` that has these local variables."""
        self.design, self.variables = design, variables
        self.scope: Scope

    def constant(self, node: ast.expr) -> Value | None:
        """Return the value of an expression that is a constant, else None."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.constant(node.operand)
            if inner is None or inner.constant is None or inner.kind != "int":
                return None
            return _constant(-inner.constant, "result")
        found = self._python(node)
        if found is None:
            return _constant(0, "ref")
        if isinstance(found, bool):
            return _constant(int(found), "bool")
        if isinstance(found, enum.Enum):
            return _constant(int(found.value), "enum")
        fits = isinstance(found, int) and abs(found) <= _LARGEST
        return _constant(found, "int") if fits else None  # type: ignore[arg-type]  # it is an int

    def _python(self, node: ast.expr) -> object:
        """Return the Python object that a constant expression names, or _MISSING."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name(id=name) if name != "self" and not self._is_local(name):
                return self.scope.method.names.get(name, _MISSING)
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name != "globals":
                return getattr(self.design, name, _MISSING)
            case ast.Attribute(value=inner, attr=name):
                base = self._python(inner)
                return _MISSING if base is _MISSING else getattr(base, name, _MISSING)
        return _MISSING

    def _is_local(self, name: str) -> bool:
        """Return whether a name is a parameter or a local variable."""
        return name in self.scope.names or self.scope.prefix + name in self.variables


def _constant(value: int, kind: str) -> Value:
    return Value(lambda _b, _r: value, kind, constant=value)


def number(value: int) -> Value:
    """Return a number as a value."""
    return _constant(value, "int")
