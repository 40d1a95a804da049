"""Takes back merged steps that violate, in a search that wants every violation.

A violating state is not continued. So where a merged step violates, the state before it is kept
instead: there it is the first step, whose violation is found, and what else can happen is, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.native.codegen.llvm_types import I64, LlvmValue, counted, number

if TYPE_CHECKING:
    from llvmlite import ir as llvm

    from iopermit.translate.native.codegen.statements import StatementCode


class EarlySteps:
    """Code in ``step`` that knows whether the step under way is a merged one."""

    def __init__(self, code: StatementCode, words: int, check: llvm.Function) -> None:
        """Begin with the first step; ``check`` says what is wrong with a state of ``words``."""
        self.code, self._words, self._check = code, words, check
        builder = code.builder
        self._early = builder.alloca(I64)
        builder.store(number(0), self._early)
        self._before = builder.alloca(I64, words)
        self._details = builder.alloca(I64, 2)

    def begin(self) -> None:
        """Note that what comes is a merged step."""
        self.code.builder.store(number(1), self._early)

    def keep(self, following: LlvmValue) -> LlvmValue:
        """Return a block that keeps the state and goes on to ``following``."""
        builder = self.code.builder
        block = following.function.append_basic_block("keep")
        with builder.goto_block(block):
            self._copy(self.code.state, self._before)
            builder.branch(following)
        return block

    def unless_early(self, otherwise: LlvmValue, done: LlvmValue) -> LlvmValue:
        """Return a block that goes to ``done`` if the step is merged: it has stored nothing yet.

        The program counter is there already.
        """
        builder = self.code.builder
        block = done.function.append_basic_block("fails")
        with builder.goto_block(block):
            builder.cbranch(self._is_first(), otherwise, done)
        return block

    def judge(self, done: LlvmValue) -> None:
        """End a step in user mode: take it back if it is merged and violates."""
        builder, function = self.code.builder, done.function
        early, wrong = (function.append_basic_block(name) for name in ("early", "wrong"))
        builder.cbranch(self._is_first(), done, early)
        builder.position_at_end(early)
        verdict = builder.call(self._check, [self.code.state, self._details])
        builder.cbranch(builder.icmp_unsigned("==", verdict, number(0)), done, wrong)
        builder.position_at_end(wrong)
        self._copy(self._before, self.code.state)
        builder.branch(done)

    def _is_first(self) -> LlvmValue:
        builder = self.code.builder
        return builder.icmp_unsigned("==", builder.load(self._early, typ=I64), number(0))

    def _copy(self, source: LlvmValue, target: LlvmValue) -> None:
        builder = self.code.builder
        with counted(builder, number(self._words)) as word:
            value = builder.load(builder.gep(source, [word]), typ=I64)
            builder.store(value, builder.gep(target, [word]))
