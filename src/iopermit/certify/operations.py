"""What a task does in the kernel because of an event, as steps around a design's hooks.

The table of events (`system.events`) declares which hooks an event calls and what changes then;
what each such change *is* stands in `effects`, what the conditions mean stands here, both in this
checker's own words. A change, or a condition, that is not known is refused. A call of a hook is
followed by one step with all that comes up to the next call, or up to the way out of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.certify.effects import USES, Operands, effect
from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.constants import Value
from iopermit.certify.language.source import has_hook
from iopermit.certify.language.steps import Point
from iopermit.certify.state import DEAD, Batch, Column, Numbers, Rows
from iopermit.system.events.hooks import Hook, Kind, Parameter, Returns
from iopermit.system.events.operations import (
    Argument,
    Body,
    Call,
    Condition,
    Decision,
    Effect,
    Every,
    Has,
    HookResult,
    Not,
    Operation,
    Says,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iopermit.certify.language.statements import Code

_KINDS: Final = {Kind.PORTS: "int", Kind.FLAG: "bool", Kind.LEVEL: "int", Kind.TASK: "ref"}
_RESULTS: Final = {Returns.ERROR: "result", Returns.FLAG: "bool"}


@dataclass(frozen=True)
class Rest:
    """The rest of a step, for some of the rows: what it does, and where it goes on."""

    go: Callable[[Batch, Rows], Numbers]
    """Do it; return the numbers of the next points."""
    following: tuple[Point, ...] = ()
    reads: frozenset[Column] = frozenset()


@dataclass(frozen=True)
class Truth:
    """Whether a condition is met."""

    read: Callable[[Batch, Rows], Numbers]
    reads: frozenset[Column] = frozenset()
    known: bool | None = None
    """Whether it is always met, or never; None: that depends on the state."""


class Operations:
    """Makes steps of operations."""

    def __init__(self, code: Code, out: Rest, back: Point) -> None:
        """Add to ``code``; tasks leave the kernel by ``out``, and begin at ``back``."""
        self.code, self.layout, self.out, self.back = code, code.layout, out, back
        self.variables: dict[str, Column] = {}
        self._never: Collection[str] = ()
        self._sleeps_before: Collection[str] = ()

    def enter(self, operation: Operation, never: Collection[str]) -> Point | None:
        """Return the point where an operation begins; None: there is no step to do.

        ``never`` are flags that no event of the scenario sets.
        """
        self._never, self._sleeps_before = never, operation.sleeps_before
        self.variables = {
            name: self.code.variable(f"{operation.name}.{name}", _KINDS[kind], _target(kind))
            for name, kind in operation.arguments
        }
        end = self.out if operation.leaves else Rest(lambda _b, _r: DEAD, (Point(DEAD),))
        match operation.body:
            case ():
                return None
            case (Call() as first, *rest):
                return self._call(first, tuple(rest), end)
        raise UnacceptableError(f"the operation {operation.name!r} does not begin with a call")

    def _rest(self, body: Body, end: Rest, result: Column | None) -> Rest:
        """Return the rest of a step in which ``body`` follows, and then ``end``."""
        if not body:
            return end
        first = body[0]
        if isinstance(first, Call):
            point = self._call(first, body[1:], end)
            return Rest(lambda _b, _r: point.final.number, (point,))
        more = self._rest(body[1:], end, result)
        match first:
            case Decision(condition, then, otherwise):
                truth = self._truth(condition, result)
                if truth.known is not None:
                    return self._rest(then if truth.known else otherwise, more, result)
                branches = self._rest(then, more, result), self._rest(otherwise, more, result)
                return _decided(truth, branches)
            case Effect():
                reads = frozenset(self.variables[name] for name in USES.get(first, ()))
                do = effect(self.layout, first, self._operands(), self.back)

                def go(b: Batch, r: Rows) -> Numbers:
                    do(b, r)
                    return more.go(b, r)

                return Rest(go, more.following, reads | more.reads)
        raise UnacceptableError(f"this checker does not know what {first} is")

    def _call(self, call: Call, rest: Body, end: Rest) -> Point:
        """Return the point where a hook begins that is followed by a step of its own."""
        hook, there = call.hook, has_hook(self.code.design, call.hook.name)
        result = None
        if there and hook.returns in _RESULTS:
            result = self.code.variable(f"{hook.name}.result", _RESULTS[hook.returns])
        after = self._rest(rest, end, result)
        back = Point()
        self.code.expressions.reads |= after.reads
        at = ((), call.returns)
        step = self.code.step(at, back, lambda b: after.go(b, b.rows), *after.following)
        step.sleeps = call.returns in self._sleeps_before
        if not there:
            return back
        entry = self.hook(hook, back, result)
        return self._before(call.first, entry) if call.first else entry

    def _before(self, label: str, entry: Point) -> Point:
        """Return the point of a step before a hook in which nothing happens but time passes."""
        point = Point()
        step = self.code.step(((), label), point, lambda _b: entry.final.number, entry)
        step.sleeps = True
        return point

    def hook(self, hook: Hook, then: Point, result: Column | None = None) -> Point:
        """Return the point where a hook begins that a task executes."""
        names = [self._argument(parameter) for parameter in hook.parameters]
        self.code.off = not hook.preemptible
        try:
            return self.code.hook(hook.name, names, then, result)
        finally:
            self.code.off = False

    # Arguments and conditions.

    def _argument(self, parameter: Parameter) -> Callable[[], Value]:
        if parameter.kind is Kind.CPU:
            return lambda: Value(lambda b, _r: b.cpu + 1, "ref", "cpu", own=True)
        column = self.variables.get(parameter.name)
        if column is None:
            if parameter.kind is not Kind.TASK:
                raise UnacceptableError(f"no event has an argument {parameter.name!r}")
            return lambda: Value(lambda b, r: b.task[r] + 1, "ref", "task", own=True)
        kind = "ports" if parameter.kind is Kind.PORTS else column.kind

        def value() -> Value:
            return Value(self.code.expressions.variable(column).read, kind, column.target)

        return value

    def _operands(self) -> Operands:
        return {name: _reader(column) for name, column in self.variables.items()}

    def _truth(self, condition: Condition, result: Column | None) -> Truth:
        """Return whether a condition is met."""
        match condition:
            case HookResult():
                truth = NEVER if result is None else _flag(result)
            case Argument(name):
                truth = NEVER if name in self._never else _flag(self.variables[name])
            case Says(name):
                truth = _known(met=bool(getattr(self.code.design, name)))
            case Has(hook):
                truth = _known(met=has_hook(self.code.design, hook.name))
            case Not(opposite):
                truth = _negated(self._truth(opposite, result))
            case Every(conditions):
                truth = _all([self._truth(each, result) for each in conditions])
            case _:
                raise UnacceptableError(f"this checker does not know the condition {condition}")
        return truth


def _decided(truth: Truth, branches: tuple[Rest, Rest]) -> Rest:
    """Return the rest of a step that is one of two."""

    def go(b: Batch, r: Rows) -> Numbers:
        met = np.array(np.broadcast_to(truth.read(b, r), r.shape)) != 0
        numbers = np.zeros(r.shape, np.int32)
        for branch, which in zip(branches, (met, ~met), strict=True):
            if which.any():
                numbers[which] = branch.go(b, r[which])
        return numbers

    following = (*branches[0].following, *branches[1].following)
    return Rest(go, following, truth.reads | branches[0].reads | branches[1].reads)


def _target(kind: Kind) -> str:
    return "task" if kind is Kind.TASK else ""


def _reader(column: Column) -> Callable[[Batch, Rows], Numbers]:
    """Return how to read a variable of the own task; a reference to a task gives its slot."""
    less = column.kind == "ref"
    return lambda b, r: b.load(column, b.task[r], r) - less


def _known(*, met: bool) -> Truth:
    return Truth(lambda _b, _r: int(met), known=met)


NEVER: Final = _known(met=False)


def _flag(column: Column) -> Truth:
    return Truth(_reader(column), reads=frozenset({column}))


def _negated(truth: Truth) -> Truth:
    known = None if truth.known is None else not truth.known
    return Truth(lambda b, r: np.equal(truth.read(b, r), 0), truth.reads, known)


def _all(truths: list[Truth]) -> Truth:
    if all(truth.known is not None for truth in truths) or any(t.known is False for t in truths):
        return _known(met=all(truth.known for truth in truths))

    def read(b: Batch, r: Rows) -> Numbers:
        met = np.ones(r.shape, bool)
        for truth in truths:
            met &= np.not_equal(truth.read(b, r), 0)
        return met

    return Truth(read, frozenset().union(*(truth.reads for truth in truths)))
