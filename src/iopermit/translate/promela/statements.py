"""Prints expressions and statements of the intermediate form as Promela."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import (
    FIRST_STEP,
    VERDICTS,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    RecordName,
    Select,
    StepParameter,
    Stmt,
    Store,
    Temp,
)
from iopermit.translate.model.walk import expressions, statements, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

TASK_STATES = ("FREE", "USER", "KERNEL_THREAD", "EMBRYO", "DEAD", "STOPPED")
"""Names of the values of a task's ``pc`` that are no step."""

_OPERATORS = {
    "add": "+",
    "sub": "-",
    "and": "&",
    "or": "|",
    "xor": "^",
    "shl": "<<",
    "shr": ">>",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
}
_COMPARISONS = frozenset({"eq", "ne", "lt", "le"})


@dataclass
class Printer:
    """Prints what one CPU does; temporaries are numbered anew in every body."""

    names: dict[Field, str]
    fields: dict[RecordName, list[Field]]
    cpu: str = "c"
    """The text for the number of the CPU."""
    choice: str = "choice"
    """The text for the number of the outcome."""
    goes_on: Field | None = None
    """The ``pc`` that a :class:`Goto` sets."""
    results: dict[str, str] = field(default_factory=dict)
    """Variables for the temporaries whose value is wanted after the body."""
    temporaries: dict[str, str] = field(default_factory=dict)
    """Variables for the temporaries of the body."""

    # Expressions.

    def value(self, expression: Expr) -> str:
        """Return the text of an expression, in parentheses where it needs them."""
        match expression:
            case Const(value):
                text = str(value)
            case StepParameter(name):
                text = {"cpu": self.cpu, "task": f"running({self.cpu})", "choice": self.choice}[
                    name
                ]
            case Temp(name):
                text = self.temporaries[name]
            case Load(loaded, index):
                text = self._place(loaded, index)
            case Mask(what, record):
                text = f"{what}_{record}" if record else what
            case Select(condition, yes, no):
                text = f"({self._bare(condition)} -> {self.value(yes)} : {self.value(no)})"
            case Binary():
                text = f"({self._operation(expression)})"
            case _:
                raise TypeError(f"no design needs {expression}")
        return text

    def _bare(self, expression: Expr) -> str:
        """Return the text of an expression without the outermost parentheses."""
        if isinstance(expression, Binary):
            return self._operation(expression)
        return self.value(expression)

    def _operation(self, operation: Binary) -> str:
        left, right = operation.left, operation.right
        if operation.op == "eq" and right == Const(0) and is_truth_value(left):
            return f"!{self.value(left)}"
        symbol = _logical(operation)
        if symbol:
            both = (self._operand(left, symbol), self._operand(right, symbol))
            return f" {symbol} ".join(both)
        symbol = _OPERATORS[operation.op]
        if operation.op in _COMPARISONS and isinstance(left, Load):
            return f"{self.value(left)} {symbol} {self._content(left.field, right)}"
        return f"{self.value(left)} {symbol} {self.value(right)}"

    def _operand(self, operand: Expr, symbol: str) -> str:
        """Print ``a && (b && c)`` without the parentheses."""
        return self._bare(operand) if _logical(operand) == symbol else self.value(operand)

    def _content(self, place: Field, value: Expr) -> str:
        """Return the text of a value that is stored in or compared with a field."""
        task_state = place.record == "task" and place.name == "pc"
        if task_state and isinstance(value, Const) and value.value < FIRST_STEP:
            return TASK_STATES[value.value]
        return self.value(value)

    def _place(self, place: Field, index: Expr) -> str:
        if place.record == "globals":
            return self.names[place]
        return f"{self.names[place]}[{self._bare(index)}]"

    # Statements.

    def body(self, body: Sequence[Stmt]) -> list[str]:
        """Return the lines of a whole body; its temporaries are 0 before and after it."""
        own = [name for name in temporaries(tuple(body)) if name not in self.results]
        numbered = {name: f"temporary_{number}" for number, name in enumerate(own, 1)}
        self.temporaries = self.results | numbered
        return [*self._statements(body), *(f"{name} = 0;" for name in numbered.values())]

    def _statements(self, body: Sequence[Stmt]) -> list[str]:
        lines: list[str] = []
        for number, statement in enumerate(body):
            rest = body[number + 1 :]
            if isinstance(statement, Check):
                return lines + self._checks(statement, rest)
            lines += self._statement(statement)
            inner = tuple(statements((statement,)))
            if rest and targets((statement,)):
                raise ValueError(f"a step goes on after its end: {rest}")
            if any(isinstance(s, Check) for s in inner):
                failed = [":: globals_bad != 0"]
                return lines + _choice(failed, [":: else ->", *_indent(self._statements(rest))])
        return lines

    def _checks(self, first: Check, others: Sequence[Stmt]) -> list[str]:
        """Print consecutive checks as one condition; what follows happens if all are passed."""
        checks, verdict = [first], first.verdict
        for statement in others:
            if not isinstance(statement, Check) or statement.verdict != verdict:
                break
            checks.append(statement)
        last = len(checks) - 1
        lines = [
            f"{':: ' if i == 0 else '   '}{self._failure(check, alone=last == 0)}"
            f"{' ->' if i == last else ' ||'} {comment(check.message)}"
            for i, check in enumerate(checks)
        ]
        passed = self._statements(others[last:])
        return _choice(
            [*lines, f"   globals_bad = {constant(VERDICTS[verdict])}"], _option("else", passed)
        )

    def _failure(self, check: Check, *, alone: bool) -> str:
        return self._bare(check.bad) if alone else self.value(check.bad)

    def _statement(self, statement: Stmt) -> list[str]:
        match statement:
            case Let(temp, value):
                known = temp.name in self.temporaries
                return [f"{self.temporaries[temp.name]} = {self._bare(value)};"] if known else []
            case Store(place, index, value):
                state = isinstance(value, Const)
                content = self._content(place, value) if state else self._bare(value)
                return [f"{self._place(place, index)} = {content};"]
            case Clear(record, index):
                return [f"{self._place(f, index)} = 0;" for f in self.fields[record]]
            case Goto(target):
                return [self._goto(target)]
            case If(condition, then, otherwise):
                yes = _option(self._bare(condition), self._statements(then))
                return _choice(yes, _option("else", self._statements(otherwise)))
            case Check():
                return self._checks(statement, ())

    def _goto(self, target: int) -> str:
        if self.goes_on is None:
            raise ValueError(f"a body without a program counter goes to {target}")
        context = StepParameter("task" if self.goes_on.record == "task" else "cpu")
        place = self._place(self.goes_on, context)
        return f"{place} = {self._content(self.goes_on, Const(target))};"


def is_truth_value(expression: Expr) -> bool:
    """Return whether an expression is always 0 or 1."""
    match expression:
        case Const(value):
            return value in (0, 1)
        case Load(loaded):
            return loaded.width == 1
        case Select(_, yes, no):
            return is_truth_value(yes) and is_truth_value(no)
        case Binary(op, left, right):
            if op == "and" and Const(1) in (left, right):
                return True
            both = is_truth_value(left) and is_truth_value(right)
            return op in _COMPARISONS or (op in ("and", "or", "xor") and both)
    return False


def _logical(expression: Expr) -> str:
    """Return ``&&`` or ``||`` if the expression joins truth values, else nothing."""
    match expression:
        case Binary(("and" | "or") as op, left, right):
            both = is_truth_value(left) and is_truth_value(right)
            return {"and": "&&", "or": "||"}[op] if both else ""
    return ""


def temporaries(body: tuple[Stmt, ...]) -> list[str]:
    """Return the names of the temporaries that a body computes and reads."""
    read = {e.name for e in expressions(body) if isinstance(e, Temp)}
    computed = dict.fromkeys(s.temp.name for s in statements(body) if isinstance(s, Let))
    return [name for name in computed if name in read]


def comment(text: str) -> str:
    """Return a Promela comment."""
    return "/* " + text.replace("*/", "* /").replace("/*", "/ *") + " */"


def constant(verdict: str) -> str:
    """Return the name of the constant that stands for a verdict."""
    return verdict.upper().replace("-", "_")


def _option(guard: str, lines: list[str]) -> list[str]:
    return [f":: {guard} ->", *_indent(lines)] if lines else [f":: {guard}"]


def _choice(*options: list[str]) -> list[str]:
    return ["if", *(line for option in options for line in option), "fi;"]


def _indent(lines: list[str], depth: int = 1) -> list[str]:
    return ["   " * depth + line for line in lines]
