"""Numbers of longs: a scenario has few of the many of a real map, and one stands for many."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from iopermit.translate.frontend.types import Type, Value
from iopermit.translate.model.nodes import Const

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.system.site import Site
    from iopermit.translate.frontend.source import Method
    from iopermit.translate.model.nodes import Field, RecordName


class NumberOfLongs(NamedTuple):
    """A number of real longs that a design names, and where; 0 if it names none."""

    longs: int = 0
    site: Site | None = None


class LongsNumbers:
    """Knows what counts longs, and the largest number of real longs that the design names."""

    def __init__(self, fields: Iterable[tuple[RecordName, str]], most: int) -> None:
        """Begin with the fields that are declared so; maps have ``most`` longs in the scenario."""
        self.fields = set(fields)
        """Fields and variables that count longs."""
        self.most = most
        self.named = NumberOfLongs()
        """The largest number of real longs that the design names."""

    def marked(self, field: Field, value: Value) -> Value:
        """Return what was read of a field: a number of longs, if the field is one."""
        if (field.record, field.name) not in self.fields:
            return value
        return replace(value, type=replace(value.type, longs=True))

    def name(self, longs: int, site: Site) -> None:
        """Take note of a number of real longs that the design names, and of the place."""
        if longs > self.named.longs:
            self.named = NumberOfLongs(longs, site)

    def counting(self, method: Method, node: ast.expr, value: Value) -> Value:
        """Return a number, which must count longs: a constant is that many real longs.

        With fewer longs in the scenario it is all of them, and the verdict is left open.
        """
        if value.type.longs or (value.type.kind == "int" and not value.type.high):
            return replace(value, type=replace(value.type, longs=True))
        if value.type.kind == "int" and isinstance(value.expr, Const):
            self.name(value.expr.value, method.site(node))
            few = min(value.expr.value, self.most)
            return Value(Const(few), Type("int", few, few, longs=True))
        raise method.error(
            node,
            f"{ast.unparse(node)} is no number of longs",
            "a field or variable of type Longs, what extent() gives, or a constant",
        )

    def alike(
        self, method: Method, nodes: tuple[ast.expr, ast.expr], pair: tuple[Value, Value]
    ) -> list[Value]:
        """Return two numbers: where one counts longs, so must the other."""
        if not any(value.type.longs for value in pair):
            return list(pair)
        both = zip(nodes, pair, strict=True)
        return [self.counting(method, node, value) for node, value in both]
