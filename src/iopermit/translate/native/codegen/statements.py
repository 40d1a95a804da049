"""Prints statements of the intermediate form as LLVM instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import (
    Check,
    Clear,
    Expr,
    Field,
    Goto,
    If,
    Let,
    RecordName,
    Stmt,
    Store,
    Temp,
)
from iopermit.translate.native.codegen.expressions import ExpressionCode
from iopermit.translate.native.codegen.llvm_types import (
    LlvmValue,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llvmlite import ir as llvm

    from iopermit.translate.model.model import Model
    from iopermit.translate.native.packing import Packing


class StatementCode(ExpressionCode):
    """Emits code into one LLVM function that works on a state in working form."""

    def __init__(
        self, model: Model, packing: Packing, builder: llvm.IRBuilder, state: LlvmValue
    ) -> None:
        """Emit at ``builder``, on the state that ``state`` points to."""
        super().__init__(model, packing, builder, state)
        self.on_goto: Callable[[int], None] = lambda _: None
        self.on_failure: Callable[[int], LlvmValue] = self._no_failure
        """Gives the block to go to where a check of the current block fails."""
        self.on_heap_write: Callable[[Field | None, RecordName, Expr], None] = lambda *_: None
        self.on_store: Callable[[Field, LlvmValue], None] = lambda *_: None

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
                self.on_store(declared, computed)
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
        self.put("globals", number(0), self.place(self.model.kernel.bad), number(verdict))

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
