"""Prints the making of successors: every rule and every outcome of a step, merged and renamed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llvmlite import ir as llvm

from iopermit.translate.model.nodes import Const, Load, StepParameter
from iopermit.translate.native.codegen.llvm_types import BYTES, I1, I8, I32, I64, LlvmValue, number
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.packing import WORD
from iopermit.translate.native.shared.labels import CPU_SHIFT, TransitionKind, TransitionLabel
from iopermit.translate.native.steps import task_of, watch_hidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.analyses.merging import Merging
    from iopermit.translate.model.model import Model, Rule
    from iopermit.translate.native.canonical.hidden_maps import HiddenCode
    from iopermit.translate.native.packing import Packing
    from iopermit.translate.native.shared.coverage import CoverageLayout


@dataclass(frozen=True)
class Transitions:
    """The functions that make transitions, and the reductions that they apply."""

    model: Model
    packing: Packing
    merging: Merging | None
    late: LateArguments | None
    hidden: HiddenCode | None
    coverage: CoverageLayout
    step: llvm.Function
    """Executes a step, and those merged with it (see :class:`StepFunction`)."""
    finish: llvm.Function
    """Renames and stores a successor."""


class Successors:
    """Emits the code that makes the successors of one CPU's transitions."""

    def __init__(
        self, native: Transitions, function: llvm.Function, builder: llvm.IRBuilder
    ) -> None:
        self.native, self.builder = native, builder
        self.state, self.cpu, self.successors, self.labels, count, self.covered, self.touched = (
            function.args
        )
        self.count = builder.alloca(I64)
        self.work = builder.alloca(I64, native.packing.words)
        self.chosen = builder.alloca(I64, 2)
        self.range = builder.alloca(I64)
        builder.store(number(0), self.range)
        builder.store(count, self.count)
        self.code = StatementCode(native.model, native.packing, builder, self.state)
        self.code.contexts = {"cpu": self.cpu}
        self.code.contexts["task"] = task_of(self.code)
        watch_hidden(self.code, native.hidden, self.touched)

    def _copy(self) -> None:
        builder, size = self.builder, number(self.native.packing.words * WORD // 8)
        kinds = [BYTES, BYTES, I64]
        target, source = (builder.bitcast(each, BYTES) for each in (self.work, self.state))
        copy = builder.module.declare_intrinsic("llvm.memcpy", kinds)
        builder.call(copy, [target, source, size, llvm.Constant(I1, 0)])

    def _emit(self, label: TransitionLabel) -> None:
        self._note_exposed_map()
        full = self.builder.or_(
            self.builder.trunc(self.builder.shl(self.cpu, number(CPU_SHIFT)), I32),
            llvm.Constant(I32, label.encoded),
        )
        count = self.builder.load(self.count, typ=I64)
        arguments = [self.work, self.successors, full, self.labels, count]
        self.builder.store(self.builder.call(self.native.finish, arguments), self.count)

    def _note_exposed_map(self) -> None:
        """Set ``touched`` if a map that was hidden before no longer is."""
        if self.native.hidden is None:
            return
        builder = self.builder
        untouched = builder.icmp_unsigned("==", builder.load(self.touched, typ=I64), number(0))
        with builder.if_then(untouched):
            still = builder.call(self.native.hidden.is_hidden, [self.work, self.cpu])
            builder.store(builder.select(still, number(0), number(1)), self.touched)

    def steps(self, context: Literal["task", "cpu"]) -> None:
        """Emit the step of what runs on the CPU, a task or a switch, once per possible outcome."""
        self._outcome(0)
        several = [
            s for s in self.native.model.steps.values() if s.choices > 1 and s.context == context
        ]
        if not several:
            return
        own = self.code.value(Load(self.native.model.field(context, "pc"), StepParameter(context)))
        choosing: LlvmValue = llvm.Constant(I1, 0)
        for step in several:
            choosing = self.builder.or_(
                choosing, self.builder.icmp_unsigned("==", own, number(step.pc))
            )
        with self.builder.if_then(choosing):
            for choice in range(1, max(s.choices for s in several)):
                self._outcome(choice)

    def _outcome(self, choice: int) -> None:
        def attempt(outcome: int) -> LlvmValue:
            self._copy()
            return self._run(choice, outcome)

        self._twice(attempt, TransitionLabel(0, TransitionKind.STEP, choice))

    def _run(self, choice: int, outcome: int) -> LlvmValue:
        arguments = [
            self.work,
            self.cpu,
            number(choice),
            number(outcome),
            self.builder.load(self.range, typ=I64),
            self.chosen,
            self.covered,
            self.touched,
        ]
        return self.builder.call(self.native.step, arguments)

    def _twice(self, attempt: Callable[[int], LlvmValue], label: TransitionLabel) -> None:
        """Emit the successors, and more if an allocation on the way can also fail."""
        self._each_range(lambda: attempt(0), label)
        if self.native.merging and self.native.model.allocations_can_fail:
            again = self.builder.icmp_unsigned(
                "==", self.builder.load(self.chosen, typ=I64), number(1)
            )
            with self.builder.if_then(again):
                self._each_range(lambda: attempt(1), label)

    def _each_range(self, attempt: Callable[[], LlvmValue], label: TransitionLabel) -> None:
        """Emit a successor, and one for each other range of ports that ioperm() may have got."""
        builder, late = self.builder, self.native.late
        if late is None:
            made = attempt()
            with builder.if_then(builder.icmp_unsigned("!=", made, llvm.Constant(I32, 0))):
                self._emit(label)
            return
        head = builder.append_basic_block("range")
        done = builder.append_basic_block("ranges_done")
        builder.store(number(0), self.range)
        builder.branch(head)
        builder.position_at_end(head)
        made = builder.icmp_unsigned("!=", attempt(), llvm.Constant(I32, 0))
        with builder.if_then(made):
            self._emit(label)
        following = builder.add(builder.load(self.range, typ=I64), number(1))
        builder.store(following, self.range)
        chosen = builder.load(builder.gep(self.chosen, [number(1)]), typ=I64)
        more = builder.icmp_unsigned("<", following, number(len(late.values)))
        again = builder.and_(more, builder.icmp_unsigned("!=", chosen, number(0)))
        builder.cbranch(builder.and_(made, again), head, done)
        builder.position_at_end(done)
        builder.store(number(0), self.range)

    def rule(self, rule: Rule, kind: TransitionKind, index: int) -> None:
        """Emit one rule."""
        label = TransitionLabel(0, kind, index)
        builder, native = self.builder, self.native
        code = StatementCode(native.model, native.packing, builder, self.work)
        code.contexts = self.code.contexts
        watch_hidden(code, self.native.hidden, self.touched)
        own = native.model.kernel.task_pc
        code.on_goto = lambda target: code.put(
            "task", code.contexts["task"], code.place(own), number(target)
        )

        def attempt(outcome: int) -> LlvmValue:
            self._copy()
            code.body(rule.body)
            self._run_on(rule, outcome)
            return llvm.Constant(I32, 1)

        with builder.if_then(self.code.truth(rule.guard)):
            place = number(native.coverage.rule(kind, index))
            builder.store(llvm.Constant(I8, 1), builder.gep(self.covered, [place]))
            builder.store(number(0), self.chosen)
            builder.store(number(0), builder.gep(self.chosen, [number(1)]))
            self._twice(attempt, label)

    def _run_on(self, rule: Rule, outcome: int) -> None:
        """Run the first steps at once where that is sound."""
        merging = self.native.merging
        condition = merging.condition(rule.starts) if merging else Const(0)
        start = self.native.model.steps.get(rule.starts)
        if condition == Const(0) or start is None or start.choices > 1:
            return
        code = StatementCode(self.native.model, self.native.packing, self.builder, self.work)
        code.contexts = self.code.contexts
        watch_hidden(code, self.native.hidden, self.touched)
        with self.builder.if_then(code.truth(condition)):
            self._run(0, outcome)
