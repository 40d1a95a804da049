"""Operations on whole bitmaps: one step for the operands, then one step for each long.

The rules, in this checker's own words. The first step finds out where the maps are and how many
longs there are; both stay as they are found, in registers. Only the own CPU's TSS and the own
task's record need no register: `cpu` is the CPU that the task is on at each moment. Each further
step handles one long, lowest first, and is a crash if a map on the heap was freed meanwhile. No
longs: no further step. A plain number counts real longs, and a scenario must have as many.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from iopermit.certify.language.constants import Value, number
from iopermit.certify.language.steps import Point, Steps
from iopermit.certify.state import Batch, Column, Numbers, Read

LongStep = Callable[[Batch, Numbers], None]
"""Handles one long, whose number is given for each row."""


@dataclass(frozen=True)
class Map:
    """A bitmap during an operation: its field, and how to find the slot at each step."""

    column: Column
    slot: Read
    text: str
    register: Column | None = None

    def bit(self, b: Batch, long: Numbers) -> Numbers:
        """Return whether a long is denied."""
        return b.load(self.column, self.slot(b, b.rows), b.rows) >> long & 1

    def write(self, b: Batch, long: Numbers, denied: Numbers) -> None:
        """Deny or allow a long."""
        where = self.slot(b, b.rows)
        old = b.load(self.column, where, b.rows)
        b.store(self.column, where, b.rows, old & ~(1 << long) | denied << long)


class BulkSteps(Steps):
    """Interprets ``copy_from``, ``fill``, ``change`` and ``extent``."""

    def bulk(
        self, node: ast.stmt, call: ast.Call, bitmap: ast.expr, name: str, at: Point, then: Point
    ) -> None:
        """Interpret a call that is a statement."""
        match name, call.args:
            case "copy_from", [source, *longs] if len(longs) <= 1:
                begin: list[Callable[[Batch], None]] = []
                where = self._map(node, bitmap, "to", begin)
                origin = self._map(node, source, "from", begin)
                self._longs(
                    node, (begin, self._count(longs)), [where, origin],
                    lambda b, i: where.write(b, i, origin.bit(b, i)), at, then,
                )  # fmt: skip
            case "fill", longs if len(longs) <= 1:
                begin = []
                where = self._map(node, bitmap, "to", begin)
                self._longs(
                    node, (begin, self._count(longs)), [where],
                    lambda b, i: where.write(b, i, 1), at, then,
                )  # fmt: skip
            case "change", [ast.Name() as ports, ast.Name() | ast.Constant() as turn_on]:
                self._change(node, bitmap, (ports, turn_on), at, then)
            case _:
                raise self.unacceptable(node, f"`{ast.unparse(call)}`")

    def _change(
        self,
        node: ast.stmt,
        bitmap: ast.expr,
        arguments: tuple[ast.expr, ast.expr],
        at: Point,
        then: Point,
    ) -> None:
        with self.later() as used:
            ports, turn_on = (self.expressions.value(each) for each in arguments)
        if (ports.kind, turn_on.kind) != ("ports", "bool"):
            raise self.unacceptable(node, "change() takes the ports and whether to allow them")
        begin: list[Callable[[Batch], None]] = []
        where = self._map(node, bitmap, "to", begin)

        def long(b: Batch, i: Numbers) -> None:
            meant = ports.read(b, b.rows) >> i & 1
            denied = np.where(meant, 1 - turn_on.read(b, b.rows), where.bit(b, i))
            where.write(b, i, denied)

        everything = number(self.layout.scenario.longs)
        self._longs(node, (begin, everything), [where], long, at, then, used)

    def extent(
        self,
        node: ast.stmt,
        target: ast.expr,
        bitmap: ast.expr,
        call: ast.Call,
        at: Point,
        then: Point,
    ) -> None:
        """Interpret ``x = bitmap.extent()``: the longs up to the last one that allows ports."""
        given = [*call.args, *(k.value for k in call.keywords if k.arg == "at_least")]
        lowest = self.expressions.value(given[0]) if given else number(0)
        self.expressions.number_kind(call, lowest, Value(lowest.read, "longs"))
        least = lowest.constant
        if least is None or len(given) > 1 or len(call.keywords) + len(call.args) > len(given):
            raise self.unacceptable(node, f"`{ast.unparse(call)}`")
        begin: list[Callable[[Batch], None]] = []
        where = self._map(node, bitmap, "of", begin)
        last = self.variable(f"{self._prefix(node)}.last", "longs")
        begin.append(self.set_variable(last, number(least)))

        def long(b: Batch, i: Numbers) -> None:
            allows = where.bit(b, i) == 0
            b.put(last, np.where(allows, i + 1, b.get(last)))

        everything = number(self.layout.scenario.longs)
        with self.later() as used:
            store = self.assign(target, Value(lambda b, _r: b.get(last), "longs"))
            stored = self.writes
        self._longs(
            node, (begin, everything), [where], long, at, then, used | {last}, (store, stored)
        )

    def _prefix(self, node: ast.stmt) -> str:
        return f"{self.frame.scope.prefix}@{node.lineno}.{node.col_offset}"

    def _count(self, longs: list[ast.expr]) -> Value:
        """Return how many longs are handled."""
        most = self.layout.scenario.longs
        if not longs:
            return number(most)
        value = self.expressions.value(longs[0])
        self.expressions.number_kind(longs[0], value, Value(value.read, "longs"))
        return value

    def _map(
        self, node: ast.stmt, bitmap: ast.expr, register: str, begin: list[Callable[[Batch], None]]
    ) -> Map:
        """Return a map whose address is in a register, if it needs one."""
        value, text = self.expressions.value(bitmap), ast.unparse(bitmap)
        if value.kind != "bitmap" or value.place is None:
            raise self.unacceptable(bitmap, f"`{text}` is no bitmap")
        column, slot = value.place
        with self.later():
            base = (
                self.expressions.value(bitmap.value) if isinstance(bitmap, ast.Attribute) else value
            )
        own = base.own and base.target == self.expressions.record
        if own or column.record == "globals" or text.startswith("cpu.tss."):
            return Map(column, slot, text)
        held = self.variable(f"{self._prefix(node)}.{register}", "ref", column.record)
        keep = Value(lambda b, r: slot(b, r) + 1, "ref", column.record)
        begin.append(self.set_variable(held, keep))
        return Map(column, lambda b, _r: b.get(held) - 1, text, held)

    def _longs(  # noqa: PLR0913, PLR0917 - operands, what to do, and two points
        self,
        node: ast.stmt,
        start: tuple[list[Callable[[Batch], None]], Value],
        maps: list[Map],
        long: LongStep,
        at: Point,
        then: Point,
        used: AbstractSet[Column] = frozenset(),
        done: tuple[Callable[[Batch], None], set[Column]] | None = None,
    ) -> None:
        """Put the step for the operands and the one that handles a long."""
        begin, count = start
        if count.constant == 0:
            self.emit(node, at, lambda b: _all(b, begin), then)
            return
        most, each = self.layout.scenario.longs, Point()
        counter = self.variable(f"{self._prefix(node)}.long", "int")
        begin.append(self.set_variable(counter, number(0)))
        end = None
        if count.constant is None:
            end = self.variable(f"{self._prefix(node)}.end", "int")
            begin.append(self.set_variable(end, count))

        def first(b: Batch) -> Numbers:
            _all(b, begin)
            if end is None:
                return each.final.number
            b.refuse(b.get(end) > most, b.rows, "more longs than a bitmap has")
            return np.where(b.get(end) > 0, each.final.number, then.final.number)

        following = (each,) if end is None else (each, then)
        self.step(self.position(node), at, first, *following)
        registers = {m.register for m in maps if m.register is not None}
        ends = {end} if end is not None else set()
        self.expressions.reads |= registers | ends | {counter} | used

        def again(b: Batch) -> Numbers:
            for each_map in maps:
                where = each_map.slot(b, b.rows)
                record = each_map.column.record
                self.expressions.check_alive(b, b.rows, record, where, each_map.text)
            i = b.get(counter)
            long(b, i)
            more = i + 1 < (count.constant if end is None else b.get(end))
            if done is not None:
                _in_rows(b, np.flatnonzero(~more), done[0])
            b.put(counter, i + more)
            return np.where(more, each.final.number, then.final.number)

        step = self.step(self.position(node, "one long"), each, again, each, then)
        step.last_writes = done[1] if done is not None else set()


def _all(b: Batch, actions: list[Callable[[Batch], None]]) -> None:
    for action in actions:
        action(b)


def _in_rows(b: Batch, rows: Numbers, do: Callable[[Batch], None]) -> None:
    """Do something in some of the rows only."""
    if len(rows):
        part = Batch(b.table[rows], b.cpu, b.task[rows], b.members[rows])
        do(part)
        b.table[rows] = part.table
