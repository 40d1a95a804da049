"""Prints expressions of the intermediate form as LLVM instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.model.nodes import (
    FREE,
    Binary,
    Const,
    Expr,
    Field,
    FieldKind,
    Load,
    Mask,
    RecordName,
    Select,
    StepParameter,
    Temp,
    Unshared,
)
from iopermit.translate.native.codegen.fields import FieldCode
from iopermit.translate.native.codegen.llvm_types import (
    I1,
    I64,
    STATE,
    LlvmValue,
    new_function,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.model.model import Model
    from iopermit.translate.native.packing import Packing

MOST_OWNERS = 2
"""The most task slots that an :class:`Unshared` names."""

_ARITHMETIC = {
    "add": "add",
    "sub": "sub",
    "and": "and_",
    "or": "or_",
    "xor": "xor",
    "shl": "shl",
    "shr": "lshr",
}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<="}


class ExpressionCode(FieldCode):
    """Emits the values of expressions in one state."""

    def __init__(
        self, model: Model, packing: Packing, builder: llvm.IRBuilder, state: LlvmValue
    ) -> None:
        """Emit at ``builder``, on the state that ``state`` points to."""
        super().__init__(model, packing, builder, state)
        self.contexts: dict[str, LlvmValue] = {}
        self.on_access: Callable[[Field], None] = lambda _: None
        self._temps: dict[str, LlvmValue] = {}
        self._entry = builder.function.entry_basic_block

    def value(self, expr: Expr) -> LlvmValue:  # noqa: PLR0911 - one per kind of expression
        """Return the 64-bit value of an expression."""
        match expr:
            case Const(value):
                return number(value & (1 << 64) - 1)
            case StepParameter(name):
                return self.contexts[name]
            case Temp(name):
                return self.builder.load(self.temp(name), typ=I64)
            case Load(declared, index):
                self.on_access(declared)
                return self.get(declared.record, self.value(index), self.place(declared))
            case Binary(op, left, right):
                return self._binary(op, self.value(left), self.value(right))
            case Select(condition, yes, no):
                return self.builder.select(self.truth(condition), self.value(yes), self.value(no))
            case Mask():
                return self.mask(expr)
            case Unshared():
                return self._unshared(expr)

    def _binary(self, op: str, left: LlvmValue, right: LlvmValue) -> LlvmValue:
        if op in _COMPARISONS:
            return self.builder.zext(self.builder.icmp_unsigned(_COMPARISONS[op], left, right), I64)
        return getattr(self.builder, _ARITHMETIC[op])(left, right)

    def mask(self, mask: Mask) -> LlvmValue:
        """Return a mask over slots or counter values."""
        if mask.what == "free":
            return self._free(mask.record)
        if mask.what == "available":
            slots = (1 << self.model.counts[mask.record]) - 1
            others = self.builder.xor(self.mask(Mask("referenced", mask.record)), number(slots))
            return self.builder.or_(
                self._free(mask.record), self.builder.and_(others, number(slots))
            )
        kind: FieldKind = "ref" if mask.what == "referenced" else "counter"
        total = number(0)
        for record, place in self.packing.zones(kind, mask.record if kind == "ref" else ""):
            for slot in range(self.model.counts[record]):
                value = self.get(record, number(slot), place)
                total = self.builder.or_(total, self.builder.shl(number(1), value))
        return self.builder.lshr(total, number(1)) if kind == "ref" else total

    def _free(self, record: RecordName) -> LlvmValue:
        task = record == "task"
        declared = self.model.field(record, "pc" if task else "in_use")
        total = number(0)
        for slot in range(self.model.tasks if task else self.model.counts[record]):
            value = self.get(record, number(slot), self.place(declared))
            free = self.builder.icmp_unsigned("==", value, number(FREE if task else 0))
            total = self.builder.or_(
                total, self.builder.shl(self.builder.zext(free, I64), number(slot))
            )
        return total

    def _unshared(self, expr: Unshared) -> LlvmValue:
        """Call the function that looks for other references (made on first use)."""
        name = f"unshared_{expr.record}"
        module = self.builder.module
        if name not in module.globals:
            emit_unshared(module, self.model, self.packing, expr.record)
        owners = [self.value(owner) for owner in expr.owners]
        owners += owners[:1] * (MOST_OWNERS - len(owners))
        arguments = [self.state, self.value(expr.reference), *owners]
        return self.builder.call(module.globals[name], arguments)

    def truth(self, expr: Expr) -> LlvmValue:
        """Return an expression as a condition."""
        match expr:
            case Binary(op, left, right) if op in _COMPARISONS:
                return self.builder.icmp_unsigned(
                    _COMPARISONS[op], self.value(left), self.value(right)
                )
            case Binary("and", left, right) if _is_truth(left) and _is_truth(right):
                return self.builder.and_(self.truth(left), self.truth(right))
            case Binary("or", left, right):
                return self.builder.or_(self.truth(left), self.truth(right))
        return self.builder.icmp_unsigned("!=", self.value(expr), number(0))

    def jump(self, expr: Expr, yes: LlvmValue, no: LlvmValue) -> None:
        """Go on at one of two blocks, by a condition.

        Parts that look through all records are evaluated only where they decide.
        """
        match expr:
            case Binary("or", left, right) if _is_costly(expr):
                other = self.builder.append_basic_block("or")
                self.jump(left, yes, other)
                self.builder.position_at_end(other)
                self.jump(right, yes, no)
            case Binary("and", left, right) if _is_costly(expr) and _is_truth(expr):
                other = self.builder.append_basic_block("and")
                self.jump(left, other, no)
                self.builder.position_at_end(other)
                self.jump(right, yes, no)
            case _:
                self.builder.cbranch(self.truth(expr), yes, no)

    def temp(self, name: str) -> LlvmValue:
        """Return the stack slot of a temporary."""
        if name not in self._temps:
            with self.builder.goto_block(self._entry):
                if self._entry.instructions:
                    self.builder.position_before(self._entry.instructions[0])
                self._temps[name] = self.builder.alloca(I64)
        return self._temps[name]


def _is_truth(expr: Expr) -> bool:
    """Return whether the value of an expression is certainly 0 or 1."""
    match expr:
        case Binary(op, left, right):
            joins = op in ("and", "or", "xor")
            return op in _COMPARISONS or (joins and _is_truth(left) and _is_truth(right))
        case Const(value):
            return value in (0, 1)
        case Load(declared, _):
            return declared.width == 1
        case Unshared():
            return True
        case _:
            return False


def _is_costly(expr: Expr) -> bool:
    """Return whether an expression looks through all records of a kind."""
    match expr:
        case Mask() | Unshared():
            return True
        case Binary(_, left, right):
            return _is_costly(left) or _is_costly(right)
        case Select(condition, yes, no):
            return any(map(_is_costly, (condition, yes, no)))
    return False


def emit_unshared(module: llvm.Module, model: Model, packing: Packing, record: RecordName) -> None:
    """Emit ``unshared_RECORD(state, reference, owner, owner)``; see :class:`Unshared`."""
    arguments = [STATE, I64, *[I64] * MOST_OWNERS]
    function, builder = new_function(module, f"unshared_{record}", I64, *arguments)
    function.attributes.add("noinline")
    state, reference, *owners = function.args
    code = FieldCode(model, packing, builder, state)
    result: LlvmValue = llvm.Constant(I1, 1)
    for holder, place in packing.zones("ref", record):
        for slot in range(model.counts[holder]):
            other = builder.icmp_unsigned("!=", code.get(holder, number(slot), place), reference)
            if holder == "task":
                for owner in owners:
                    other = builder.or_(other, builder.icmp_unsigned("==", owner, number(slot)))
            result = builder.and_(result, other)
    builder.ret(builder.zext(result, I64))
