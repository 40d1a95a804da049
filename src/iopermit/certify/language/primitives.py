"""Interprets what a design asks of the kernel around it: memory, references, sequence numbers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.language.bulk import BulkSteps
from iopermit.certify.language.constants import Value

if TYPE_CHECKING:
    from iopermit.certify.language.steps import Point
    from iopermit.certify.state import Batch, Numbers


class Primitives(BulkSteps):
    """Interprets allocating, freeing, dropping a reference, and taking a sequence number."""

    def drop(self, node: ast.AST, held: ast.expr, at: Point, zero: Point, more: Point) -> None:
        """Drop a reference and test whether it was the last: one atomic operation."""
        value = self.expressions.value(held)
        slot = self.expressions.slot(value, ast.unparse(held))
        count = self.layout[value.target, "refcnt"]

        def run(b: Batch) -> Numbers:
            where = slot(b, b.rows)
            left = b.load(count, where, b.rows) - 1
            b.refuse(left < 0, b.rows, "reference count underflow")
            b.store(count, where, b.rows, left)
            return np.where(left == 0, zero.final.number, more.final.number)

        self.step(self.position(node), at, run, zero, more)

    def allocate(
        self, node: ast.stmt, target: ast.expr, cls: ast.expr, at: Point, then: Point
    ) -> None:
        """Take a slot for a fresh object, or NULL."""
        record = ast.unparse(cls).rpartition(".")[2]
        in_use = self.layout.in_use(record)
        if in_use is None:
            raise self.unacceptable(node, f"{record} is no heap class")
        slots, layout = self.layout.counts[record], self.layout
        fields = [c for c in layout.columns.values() if c.record == record and c.default]
        got = Value(lambda b, _r: (b.choice + 1) % (slots + 1), "ref", record)
        store = self.assign(target, got)

        def do(b: Batch) -> None:
            if b.choice < slots:
                b.clear(layout, record, b.choice, b.rows)
                for column in fields:
                    b.store(column, b.choice, b.rows, column.default)
                b.store(in_use, b.choice, b.rows, 1)
            store(b)

        self.emit(node, at, do, then, f"allocate {record}").allocates = record

    def free(self, node: ast.stmt, held: ast.expr, at: Point, then: Point) -> None:
        """Give an object's slot back."""
        value, text, layout = self.expressions.value(held), ast.unparse(held), self.layout
        if layout.in_use(value.target) is None:
            raise self.unacceptable(node, f"{text} is no heap object")

        def do(b: Batch) -> None:
            reference = value.read(b, b.rows)
            b.refuse(reference == 0, b.rows, f"free of NULL: {text}")
            self.expressions.check_alive(b, b.rows, value.target, reference - 1, text)
            b.clear(layout, value.target, reference - 1, b.rows)

        self.emit(node, at, do, then)

    def fresh(self) -> Value:
        """Return a sequence number that nothing holds: it is as good as one never handed out."""
        layout = self.layout

        def read(b: Batch, _r: object) -> Numbers:
            held = b.table[:, layout.places("counter")]
            fresh = np.ones(len(held), np.int32)
            for _ in range(held.shape[1]):
                fresh += (held == fresh[:, None]).any(axis=1)
            return fresh

        return Value(read, "counter")
