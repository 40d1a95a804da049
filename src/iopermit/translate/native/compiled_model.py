"""Prints a model as native code: successors of a packed state, and the verdict about it.

The module has these functions that the search calls, with C calling convention, and those of
:mod:`iopermit.translate.native.engine`:

``expand(stored, successors, labels, covered) -> count`` writes all successors of a stored
state; if the state violates the specification it returns ``-verdict``.
``check_specification(stored, details) -> verdict`` writes CPU and longs of a violation to
``details``.
``canonical(stored, stored)`` rewrites a state to the representative of its symmetry class.
``unpack(stored, working)`` and ``pack(working, stored)`` convert between the two conversions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.analyses.reductions import HIDDEN_MAPS, LATE_ARGUMENTS, MERGING, analyse
from iopermit.translate.model.nodes import (
    CONCERNED_CPU,
    CONCERNED_LONGS,
    CPU,
    KERNEL_THREAD,
    LEAK,
    LIVELOCK,
    LOSS,
    TASK,
    USER,
    VERDICT,
    Load,
)
from iopermit.translate.native.canonical.hidden_maps import HiddenCode
from iopermit.translate.native.codegen.llvm_types import (
    BYTES,
    I32,
    I64,
    LABELS,
    STATE,
    VOID,
    LlvmValue,
    new_function,
    number,
)
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.emission import emit_canonical
from iopermit.translate.native.engine import emit_engine
from iopermit.translate.native.packing_code import PackingCode
from iopermit.translate.native.shared.labels import (
    VERDICT_SPAN,
    TransitionKind,
)
from iopermit.translate.native.shared.sizes import max_successors
from iopermit.translate.native.steps import StepFunction
from iopermit.translate.native.successors import Successors, Transitions

if TYPE_CHECKING:
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.analyses.merging import Merging
    from iopermit.translate.analyses.reductions import Reductions
    from iopermit.translate.model.model import Model, Rule
    from iopermit.translate.native.packing import Packing

_EXPAND_CPU = (STATE, I64, STATE, LABELS, I64, BYTES, STATE)
"""Arguments: state, cpu, successors, labels, count, covered, touched."""


class NativeModel:
    """Builds the LLVM module of a model."""

    def __init__(
        self,
        model: Model,
        packing: Packing,
        reductions: Reductions,
        assumed: tuple[Assumption, ...] = (),
    ) -> None:
        """Emit everything; see :class:`Merging` for ``assumed``."""
        self.model, self.packing, self.reductions = model, packing, reductions
        self.merging: Merging | None
        self.late: LateArguments | None
        found = analyse(model, reductions, assumed)
        self.merging, self.late = found.get(MERGING), found.get(LATE_ARGUMENTS)
        self.module = llvm.Module("iopermit")
        hidden = found.get(HIDDEN_MAPS)
        self.hidden = None if hidden is None else HiddenCode(self.module, packing, hidden)
        conversions = PackingCode(self.module, packing)
        self.unpack, self.pack = conversions.unpack, conversions.pack
        self.canonical = emit_canonical(self.module, model, packing, found)
        self._stored_canonical()
        self._check_specification()
        steps = StepFunction(
            self.module, model, packing, self.merging, self.late, self.hidden, assumed
        )
        self.step, self.coverage = steps.function, steps.coverage
        self._finish()
        emit_engine(self.module, self._expand(), packing.stored_words)

    def _stored_canonical(self) -> None:
        function, builder = new_function(self.module, "canonical_stored", VOID, STATE, STATE)
        work = builder.alloca(I64, self.packing.words)
        builder.call(self.unpack, [function.args[0], work])
        self._make_canonical(builder, work)
        builder.call(self.pack, [work, function.args[1]])
        builder.ret_void()

    def _make_canonical(self, builder: llvm.IRBuilder, state: LlvmValue) -> None:
        if self.hidden is not None:
            builder.call(self.hidden.hide, [state])
        if self.reductions.canonical:
            builder.call(self.canonical, [state])

    def _finish(self) -> None:
        """``finish(state, successors, label, labels, count)``: renames, stores, counts."""
        self.finish, builder = new_function(
            self.module, "finish", I64, STATE, STATE, I32, LABELS, I64
        )
        state, successors, label, labels, count = self.finish.args
        self._make_canonical(builder, state)
        offset = builder.mul(count, number(self.packing.stored_words))
        builder.call(self.pack, [state, builder.gep(successors, [offset])])
        builder.store(label, builder.gep(labels, [count]))
        builder.ret(builder.add(count, number(1)))

    # Verdict.

    def _check_specification(self) -> None:
        self.check_working, builder = new_function(self.module, "check_working", I64, STATE, STATE)
        state, details = self.check_working.args
        code = StatementCode(self.model, self.packing, builder, state)
        code.body(self.model.specification)
        for index, temp in enumerate((CONCERNED_CPU, CONCERNED_LONGS)):
            builder.store(code.value(temp), builder.gep(details, [number(index)]))
        builder.ret(code.value(VERDICT))
        check, builder = new_function(self.module, "check_specification", I64, STATE, STATE)
        work = builder.alloca(I64, self.packing.words)
        builder.call(self.unpack, [check.args[0], work])
        builder.ret(builder.call(self.check_working, [work, check.args[1]]))

    # Successors.

    def _expand(self) -> llvm.Function:
        function, builder = new_function(self.module, "expand", I64, STATE, STATE, LABELS, BYTES)
        stored, successors, labels, covered = function.args
        state = builder.alloca(I64, self.packing.words)
        details = builder.alloca(I64, 2)
        builder.call(self.unpack, [stored, state])
        verdict = builder.call(self.check_working, [state, details])
        bad, fine = function.append_basic_block("bad"), function.append_basic_block("fine")
        builder.cbranch(builder.icmp_unsigned("!=", verdict, number(0)), bad, fine)
        builder.position_at_end(bad)
        builder.ret(builder.sub(number(0), self._with_blame(builder, state, details, verdict)))
        builder.position_at_end(fine)
        expand_cpu = self._expand_cpu()
        expand_one = self._expand_and_try(expand_cpu) if self.hidden else expand_cpu
        untouched = builder.alloca(I64)
        count = number(0)
        for cpu in range(self.model.counts["cpu"]):
            count = builder.call(
                expand_one, [state, number(cpu), successors, labels, count, covered, untouched]
            )
        builder.ret(count)
        return function

    def _expand_and_try(self, expand_cpu: llvm.Function) -> llvm.Function:
        """Emit ``expand_and_try``: expand a CPU, and if a hidden map was touched try others."""
        hidden = self.hidden
        assert hidden is not None  # the caller knows
        trial = hidden.emit_trial(expand_cpu, max_successors(self.model))
        function, builder = new_function(self.module, "expand_and_try", I64, *_EXPAND_CPU)
        state, cpu, successors, labels, count, covered, touched = function.args
        is_hidden = builder.call(hidden.is_hidden, [state, cpu])
        builder.store(builder.select(is_hidden, number(0), number(1)), touched)
        after = builder.call(expand_cpu, [state, cpu, successors, labels, count, covered, touched])
        read = builder.icmp_unsigned("!=", builder.load(touched, typ=I64), number(0))
        with builder.if_then(builder.and_(is_hidden, read)):
            first = builder.gep(successors, [builder.mul(count, number(self.packing.stored_words))])
            builder.call(trial, [state, cpu, first, builder.sub(after, count), covered])
        builder.ret(after)
        return function

    def _with_blame(
        self, builder: llvm.IRBuilder, state: LlvmValue, details: LlvmValue, verdict: LlvmValue
    ) -> LlvmValue:
        """Add the number of the blamed statement, for a leak or loss, times VERDICT_SPAN.

        For a leak without longs, which a call without the privilege is, no CPU is to blame.
        """
        if self.model.blame is None:
            return verdict
        code = StatementCode(self.model, self.packing, builder, state)
        cpu = builder.load(builder.gep(details, [number(0)]), typ=I64)
        blame = code.get("cpu", cpu, code.place(self.model.blame))
        longs = builder.load(builder.gep(details, [number(1)]), typ=I64)
        leak = builder.icmp_unsigned("==", verdict, number(LEAK))
        ports = builder.or_(
            builder.and_(leak, builder.icmp_unsigned("!=", longs, number(0))),
            builder.icmp_unsigned("==", verdict, number(LOSS)),
        )
        ports = builder.or_(ports, builder.icmp_unsigned("==", verdict, number(LIVELOCK)))
        span = builder.mul(builder.select(ports, blame, number(0)), number(VERDICT_SPAN))
        return builder.add(verdict, span)

    def _expand_cpu(self) -> llvm.Function:
        function, builder = new_function(self.module, "expand_cpu", I64, *_EXPAND_CPU)
        emitter = Successors(
            Transitions(
                self.model,
                self.packing,
                self.merging,
                self.late,
                self.hidden,
                self.coverage,
                self.step,
                self.finish,
            ),
            function,
            builder,
        )
        code, model = emitter.code, self.model
        cpu_pc = code.value(Load(model.kernel.cpu_pc, CPU))
        calm = builder.icmp_unsigned("==", cpu_pc, number(0))
        with builder.if_else(calm) as (then, otherwise):
            with then:
                task = code.contexts["task"]
                real = builder.icmp_unsigned("<", task, number(model.tasks))
                with builder.if_then(real):
                    pc = code.value(Load(model.kernel.task_pc, TASK))
                    self._rules(
                        emitter,
                        builder.icmp_unsigned("==", pc, number(USER)),
                        model.user_rules,
                        TransitionKind.USER_RULE,
                    )
                    threads = builder.icmp_unsigned("==", pc, number(KERNEL_THREAD))
                    self._rules(emitter, threads, model.thread_rules, TransitionKind.THREAD_RULE)
                    emitter.steps("task")
                for index, rule in enumerate(model.switch_rules):
                    emitter.rule(rule, TransitionKind.SWITCH_RULE, index)
            with otherwise:
                emitter.steps("cpu")
        builder.ret(builder.load(emitter.count, typ=I64))
        return function

    def _rules(
        self, emitter: Successors, condition: LlvmValue, rules: list[Rule], kind: TransitionKind
    ) -> None:
        with emitter.builder.if_then(condition):
            for index, rule in enumerate(rules):
                if self.late is None or not self.late.is_redundant(rule):
                    emitter.rule(rule, kind, index)
