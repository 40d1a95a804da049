"""Points between steps of kernel code, steps, and the local variables that they use."""

from __future__ import annotations

import ast
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.language.constants import Value
from iopermit.certify.language.expressions import Expressions
from iopermit.certify.state import Batch, Column, Layout, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.certify.language.constants import Scope
    from iopermit.system.design import Design

Position = tuple[tuple[tuple[str, int, int], ...], str]
"""Where a step stands: function, line and column of each call and of the statement; which part."""


@dataclass(eq=False)
class Point:
    """A place between two steps of kernel code."""

    number: int = -1
    step: Step | None = None
    same: Point | None = None
    """Nothing happens between this point and that one."""

    @property
    def final(self) -> Point:
        """The point that this one is the same as."""
        point = self
        while point.same is not None:
            point = point.same
        return point


@dataclass(eq=False)
class Step:
    """An atomic step and what the others need to know of it."""

    position: Position
    record: str
    """Whose step it is: a task's or a CPU's."""
    run: Callable[[Batch], Numbers]
    """Execute it; return the number of the next point."""
    following: list[Point]
    preemption_off: bool = False
    reads: set[Column] = field(default_factory=set)
    writes: set[Column] = field(default_factory=set)
    """The local variables that it certainly writes."""
    last_writes: set[Column] = field(default_factory=set)
    """Those that it writes only if it goes on to the last of ``following``."""
    allocates: str = ""
    """The record that it allocates, if any."""
    sleeps: bool = False
    """Whether the kernel may schedule before it even if it cannot be preempted."""

    def __str__(self) -> str:
        """Return where it stands, in words."""
        path, part = self.position
        places = [f"{function}():{line}" for function, line, _ in path]
        return " > ".join(places) + f" ({part})" * bool(part)


@dataclass
class Frame:
    """One call of a method."""

    scope: Scope
    exit: Point
    result: Column | None = None
    calls: tuple[tuple[str, int, int], ...] = ()
    loop: tuple[Point, Point] | None = None
    """Where ``continue`` and ``break`` go to."""


Kinds = dict[str, tuple[str, str]]
"""Kind and target of each local variable, by name."""


class Steps:
    """Collects the steps of kernel code, and the local variables that they use."""

    def __init__(
        self, design: type[Design], layout: Layout, kinds: Kinds, steps: list[Point]
    ) -> None:
        self.design, self.layout, self.kinds, self.points = design, layout, kinds, steps
        self.variables: dict[str, Column] = {}
        self.expressions = Expressions(design, layout, self.variables, "task")
        self.frame: Frame
        self.off = False
        self.writes: set[Column] = set()

    # Steps.

    def step(
        self, position: Position, at: Point, run: Callable[[Batch], Numbers], *following: Point
    ) -> Step:
        """Put a step at a point; it returns numbers of points among ``following``."""
        expressions = self.expressions
        made = Step(position, expressions.record, run, list(following), self.off)
        made.reads, made.writes = expressions.reads, self.writes
        expressions.reads, self.writes = set(), set()
        at.step = made
        self.points.append(at)
        return made

    def emit(
        self, node: ast.AST, at: Point, do: Callable[[Batch], None], then: Point, part: str = ""
    ) -> Step:
        """Put a step at a point that goes on to one other."""

        def run(b: Batch) -> Numbers:
            do(b)
            return then.final.number

        return self.step(self.position(node, part), at, run, then)

    def branch(self, node: ast.expr, at: Point, yes: Point, no: Point) -> None:
        """Put a test at a point."""
        condition = self.expressions.truth(node)

        def run(b: Batch) -> Numbers:
            return np.where(condition(b, b.rows), yes.final.number, no.final.number)

        self.step(self.position(node), at, run, yes, no)

    def position(self, node: ast.AST, part: str = "") -> Position:
        """Return where a statement or expression of the method at hand stands."""
        return (*self.frame.calls, self._place(node)), part

    def _place(self, node: ast.AST) -> tuple[str, int, int]:
        name = self.frame.scope.method.name
        return name, getattr(node, "lineno", 0), getattr(node, "col_offset", 0)

    def unacceptable(self, node: ast.AST, message: str) -> Exception:
        """Return an error about code of the method at hand."""
        return self.frame.scope.method.unacceptable(node, message)

    # Local variables.

    def variable(self, name: str, kind: str, target: str = "") -> Column:
        """Return a variable of the context; its kind becomes what all passes saw."""
        known = self.kinds.get(name)
        if known is not None:
            kind, target = self.expressions.join(None, known, (kind, target))
        self.kinds[name] = kind, target
        column = self.variables.get(name)
        if column is None:
            column = Column(self.expressions.record, name, kind, target, local=True)
            self.variables[name] = column
        column.kind, column.target = kind, target
        return column

    def set_variable(self, column: Column, value: Value) -> Callable[[Batch], None]:
        """Return what assigns a variable."""
        self._check_longs(column, value)
        self.writes.add(column)

        def do(b: Batch) -> None:
            number = value.read(b, b.rows)
            if column.kind == "result" and np.any(np.greater(number, 0)):
                raise self.unacceptable(
                    self.frame.scope.method.node,
                    f"{column.name} is a positive number or an error number",
                )
            b.put(column, number)

        return do

    def _check_longs(self, column: Column, value: Value) -> None:
        """Refuse a plain number that is kept as a number of longs, if it is too large for one."""
        if column.kind == "longs":
            of_longs = Value(value.read, "longs")
            self.expressions.number_kind(self.frame.scope.method.node, value, of_longs)

    def assign(self, target: ast.expr, value: Value) -> Callable[[Batch], None]:
        """Return what assigns a variable or field."""
        scope = self.frame.scope
        if isinstance(target, ast.Name) and target.id not in scope.names:
            return self.set_variable(
                self.variable(scope.prefix + target.id, value.kind, value.target), value
            )
        place = self.expressions.value(target).place
        if place is None or not isinstance(target, ast.Attribute):
            raise self.unacceptable(target, f"`{ast.unparse(target)}` is assigned")
        column, slot = place
        if column.record == "task" and column.name in {"privileged", "kernel_thread"}:
            # They tell the specification what the task is.
            raise self.unacceptable(target, f"{column.name}, which is the system's, is assigned")
        self._check_longs(column, value)
        zero = value.constant == 0 and column.kind == "counter"
        if not zero:
            kind = self.expressions.join(
                target, (column.kind, column.target), (value.kind, value.target)
            )
            if kind != (column.kind, column.target) or column.kind == "bitmap":
                raise self.unacceptable(target, f"{column.name} gets something of another kind")

        def do(b: Batch) -> None:
            number = value.read(b, b.rows)
            b.store(column, slot(b, b.rows), b.rows, number)

        return do

    @contextlib.contextmanager
    def later(self) -> Iterator[set[Column]]:
        """Collect the variables that are read in the block apart: a later step reads them."""
        outer, self.expressions.reads = self.expressions.reads, set()
        writes, self.writes = self.writes, set()
        used = self.expressions.reads
        try:
            yield used
        finally:
            self.expressions.reads, self.writes = outer, writes
