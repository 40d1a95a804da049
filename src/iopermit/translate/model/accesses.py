"""Lists the accesses of steps to fields of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iopermit.translate.model.nodes import Clear, Expr, Field, Stmt, Store
from iopermit.translate.model.walk import loads, statements

if TYPE_CHECKING:
    from collections.abc import Iterator


class Access(NamedTuple):
    """One field that a step touches."""

    field: Field
    slot: Expr
    write: bool


def reads(body: tuple[Stmt, ...]) -> Iterator[Access]:
    """Yield every read of a field in a body."""
    for load in loads(body):
        yield Access(load.field, load.index, write=False)


def accesses(body: tuple[Stmt, ...]) -> Iterator[Access]:
    """Yield every field access of a body."""
    yield from reads(body)
    for statement in statements(body):
        if isinstance(statement, Store):
            yield Access(statement.field, statement.index, write=True)
        if isinstance(statement, Clear) and statement.record != "task":
            name = Field(statement.record, "in_use", 1, "bool", high=1)
            yield Access(name, statement.index, write=True)
