"""Prints expressions and statements of the intermediate form as LLVM instructions."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

from llvmlite import ir as llvm

from iopermit.translate.model.nodes import (
    FREE,
    Binary,
    Check,
    Clear,
    Const,
    Context,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    RecordName,
    Select,
    Stmt,
    Store,
    Temp,
    Unshared,
)
from iopermit.translate.native.packing import WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.translate.model.model import Model
    from iopermit.translate.native.packing import Packing, Place

LlvmValue: TypeAlias = Any
"""A value, block or type of llvmlite, which has no annotations."""

I64 = llvm.IntType(64)
I32 = llvm.IntType(32)
I8 = llvm.IntType(8)
I1 = llvm.IntType(1)
STATE = I64.as_pointer()
BYTES = I8.as_pointer()
LABELS = I32.as_pointer()
VOID = llvm.VoidType()

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


def number(value: int) -> llvm.Constant:
    """Return a 64-bit constant."""
    return llvm.Constant(I64, value)


def new_function(
    module: llvm.Module, name: str, result: LlvmValue, *arguments: LlvmValue
) -> tuple[llvm.Function, llvm.IRBuilder]:
    """Return a function whose pointers are to different memory, and its builder."""
    function = llvm.Function(module, llvm.FunctionType(result, arguments), name)
    function.attributes.add("nounwind")
    for argument in function.args:
        if isinstance(argument.type, llvm.PointerType):
            argument.add_attribute("noalias")
    return function, llvm.IRBuilder(function.append_basic_block("entry"))


@contextlib.contextmanager
def counted(builder: llvm.IRBuilder, amount: LlvmValue) -> Iterator[LlvmValue]:
    """Emit a loop; gives the number of the turn, from 0."""
    before = builder.block
    head, body, after = (builder.append_basic_block(n) for n in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    turn = builder.phi(I64)
    turn.add_incoming(number(0), before)
    builder.cbranch(builder.icmp_unsigned("<", turn, amount), body, after)
    builder.position_at_end(body)
    yield turn
    turn.add_incoming(builder.add(turn, number(1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


class Code:
    """Emits code into one LLVM function that works on a state in working form."""

    def __init__(
        self, model: Model, packing: Packing, builder: llvm.IRBuilder, state: LlvmValue
    ) -> None:
        """Emit at ``builder``, on the state that ``state`` points to."""
        self.model, self.packing, self.builder, self.state = model, packing, builder, state
        self.contexts: dict[str, LlvmValue] = {}
        self.on_goto: Callable[[int], None] = lambda _: None
        self.on_access: Callable[[Field], None] = lambda _: None
        self.on_failure: Callable[[int], LlvmValue] = self._no_failure
        """Gives the block to go to where a check of the current block fails."""
        self.on_heap_write: Callable[[Field | None, RecordName, Expr], None] = lambda *_: None
        self._temps: dict[str, LlvmValue] = {}
        self._entry = builder.function.entry_basic_block

    # Words and fields.

    def word_pointer(self, record: RecordName, slot: LlvmValue, word: int) -> LlvmValue:
        """Return the address of a word of a record slot."""
        per_slot = self.packing.words_per_slot[record]
        base = self.packing.base[record] + word
        if isinstance(slot, llvm.Constant):
            return self.builder.gep(self.state, [number(base + slot.constant * per_slot)])
        offset = slot if per_slot == 1 else self.builder.mul(slot, number(per_slot))
        index = self.builder.add(offset, number(base)) if base else offset
        return self.builder.gep(self.state, [index])

    def get(self, record: RecordName, slot: LlvmValue, place: Place) -> LlvmValue:
        """Return the value at a place of a record slot."""
        value = self.builder.load(self.word_pointer(record, slot, place.word), typ=I64)
        shifted = self.builder.lshr(value, number(place.shift)) if place.shift else value
        if place.shift + place.width == WORD:
            return shifted
        return self.builder.and_(shifted, number((1 << place.width) - 1))

    def put(self, record: RecordName, slot: LlvmValue, place: Place, value: LlvmValue) -> None:
        """Write the value at a place of a record slot."""
        pointer = self.word_pointer(record, slot, place.word)
        old = self.builder.and_(
            self.builder.load(pointer, typ=I64), number(~place.mask & (1 << 64) - 1)
        )
        self.builder.store(self._joined(old, value, place), pointer)

    def _joined(self, old: LlvmValue, value: LlvmValue, place: Place) -> LlvmValue:
        """Return a word with a value at a place that is 0."""
        low = (1 << place.width) - 1
        if isinstance(value, llvm.Constant):
            bits = (value.constant & low) << place.shift
            return self.builder.or_(old, number(bits)) if bits else old
        kept = self.builder.and_(value, number(low))
        new = self.builder.shl(kept, number(place.shift)) if place.shift else kept
        return self.builder.or_(old, new)

    def place(self, declared: Field) -> Place:
        """Return where a field lies."""
        return self.packing.places[declared]

    # Expressions.

    def value(self, expr: Expr) -> LlvmValue:  # noqa: PLR0911 - one per kind of expression
        """Return the 64-bit value of an expression."""
        match expr:
            case Const(value):
                return number(value & (1 << 64) - 1)
            case Context(name):
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
        kind = "ref" if mask.what == "referenced" else "counter"
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

    def temp(self, name: str) -> LlvmValue:
        """Return the stack slot of a temporary."""
        if name not in self._temps:
            with self.builder.goto_block(self._entry):
                if self._entry.instructions:
                    self.builder.position_before(self._entry.instructions[0])
                self._temps[name] = self.builder.alloca(I64)
        return self._temps[name]

    # Statements.

    def body(self, statements: tuple[Stmt, ...]) -> None:
        """Emit statements; stops at a goto, which ends the block."""
        for statement in statements:
            self._statement(statement)
            if self.builder.block.is_terminated:
                return

    def _statement(self, statement: Stmt) -> None:
        match statement:
            case Let(Temp(name), value):
                self.builder.store(self.value(value), self.temp(name))
            case Store(declared, index, value):
                computed = self.value(value)
                self.on_access(declared)
                if declared.record in self.model.heap:
                    self.on_heap_write(declared, declared.record, index)
                self.put(declared.record, self.value(index), self.place(declared), computed)
            case Check(bad, _, verdict):
                self._check(bad, verdict)
            case If():
                self._if(statement)
            case Goto(target):
                self.on_goto(target)
            case Clear(record, index):
                slot = self.value(index)
                if record in self.model.heap:
                    self.on_heap_write(None, record, index)
                for word in range(self.packing.words_per_slot[record]):
                    self.builder.store(number(0), self.word_pointer(record, slot, word))

    def _check(self, bad: Expr, verdict: int) -> None:
        failed = self.truth(bad)
        fine = self.builder.append_basic_block("fine")
        self.builder.cbranch(failed, self.on_failure(verdict), fine)
        self.builder.position_at_end(fine)

    def fail(self, verdict: int) -> None:
        """Mark the state as crashed, or as what another verdict says."""
        bad = self.model.field("globals", "bad")
        self.put("globals", number(0), self.place(bad), number(verdict))

    def _no_failure(self, _: int) -> LlvmValue:
        raise AssertionError("only steps have checks")

    def _if(self, statement: If) -> None:
        then = self.builder.append_basic_block("then")
        otherwise = self.builder.append_basic_block("else")
        after = self.builder.append_basic_block("after")
        self.builder.cbranch(self.truth(statement.condition), then, otherwise)
        reached = False
        for block, inner in ((then, statement.then), (otherwise, statement.otherwise)):
            self.builder.position_at_end(block)
            self.body(inner)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
                reached = True
        self.builder.position_at_end(after)
        if not reached:
            self.builder.unreachable()


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
        case _:
            return False


def emit_unshared(module: llvm.Module, model: Model, packing: Packing, record: RecordName) -> None:
    """Emit ``unshared_RECORD(state, reference, owner, owner)``; see :class:`Unshared`."""
    arguments = [STATE, I64, *[I64] * MOST_OWNERS]
    function, builder = new_function(module, f"unshared_{record}", I64, *arguments)
    function.attributes.add("noinline")
    state, reference, *owners = function.args
    code = Code(model, packing, builder, state)
    result: LlvmValue = llvm.Constant(I1, 1)
    for holder, place in packing.zones("ref", record):
        for slot in range(model.counts[holder]):
            other = builder.icmp_unsigned("!=", code.get(holder, number(slot), place), reference)
            if holder == "task":
                for owner in owners:
                    other = builder.or_(other, builder.icmp_unsigned("==", owner, number(slot)))
            result = builder.and_(result, other)
    builder.ret(builder.zext(result, I64))
