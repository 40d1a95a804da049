"""Prints a model as native code: successors of a packed state, and the verdict about it.

The module has these functions that the search calls, with C calling convention, and those of
:mod:`native_engine`:

``expand(stored, successors, labels, covered) -> count`` writes all successors of a stored
state; if the state violates the specification it returns ``-verdict``.
``judge(stored, details) -> verdict`` writes CPU and longs of a violation to ``details``.
``canonical(stored, stored)`` rewrites a state to the representative of its symmetry class.
``unpack(stored, working)`` and ``pack(working, stored)`` convert between the two forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.dead_fields import DeadFields
from iopermit.translate.hidden_maps import hidden_maps
from iopermit.translate.ir import (
    KERNEL_THREAD,
    LEAK,
    LOSS,
    USER,
    Const,
    Context,
    Expr,
    Field,
    Load,
    Mask,
    Model,
    Rule,
    Select,
    Step,
    Temp,
    slot_of,
    subexpressions,
)
from iopermit.translate.late_arguments import LateArguments
from iopermit.translate.merging import Merging
from iopermit.translate.native_builder import (
    BYTES,
    I8,
    I32,
    I64,
    LABELS,
    STATE,
    VOID,
    Code,
    LlvmValue,
    number,
)
from iopermit.translate.native_engine import emit_engine
from iopermit.translate.native_hidden import HiddenCode
from iopermit.translate.native_labels import (
    SWITCH_RULE,
    THREAD_RULE,
    USER_RULE,
    VERDICT_SPAN,
)
from iopermit.translate.native_sizes import max_successors, watch_base
from iopermit.translate.native_successors import Successors
from iopermit.translate.native_symmetry import emit_canonical
from iopermit.translate.packing import WORD, Packing

if TYPE_CHECKING:
    from iopermit.translate.reductions import Reductions

_DONE = 2
"""Value of ``chosen`` when the first step was an allocation."""
_EXPAND_CPU = (STATE, I64, STATE, LABELS, I64, BYTES, STATE)
"""Arguments: state, cpu, successors, labels, count, covered, touched."""


class NativeModel:
    """Builds the LLVM module of a model."""

    def __init__(
        self,
        model: Model,
        packing: Packing,
        reductions: Reductions,
        trusted: tuple[Field, ...] = (),
    ) -> None:
        """Emit everything; see :class:`Merging` for ``trusted``."""
        self.trusted = trusted
        self.model, self.packing, self.reductions = model, packing, reductions
        self.merging = Merging(model, frozenset(trusted)) if reductions.merging else None
        self.late = LateArguments(model) if reductions.arguments else None
        if self.late is not None and not self.late.open:
            self.late = None
        self.module = llvm.Module("iopermit")
        hidden = hidden_maps(model, reductions)
        self.hidden = None if hidden is None else HiddenCode(self.module, packing, hidden)
        self._unpack()
        self._pack()
        self.canonical = emit_canonical(
            self.module,
            model,
            packing,
            symmetry=reductions.symmetry,
            counters=reductions.counters,
            dead=DeadFields(model) if reductions.dead else None,
            late=self.late,
        )
        self._stored_canonical()
        self._step()
        self._finish()
        self._judge()
        emit_engine(self.module, self._expand(), packing.stored_words)

    @property
    def can_fail(self) -> bool:
        """Whether allocations can fail."""
        failing = [
            s for s in self.model.steps.values() if s.choices > 1 and isinstance(s.guard, Select)
        ]
        return any(s.guard.yes == Const(1) for s in failing if isinstance(s.guard, Select))

    def _function(
        self, name: str, result: LlvmValue, *arguments: LlvmValue
    ) -> tuple[llvm.Function, llvm.IRBuilder]:
        function = llvm.Function(self.module, llvm.FunctionType(result, arguments), name)
        function.attributes.add("nounwind")
        for argument in function.args:
            if isinstance(argument.type, llvm.PointerType):
                argument.add_attribute("noalias")
        return function, llvm.IRBuilder(function.append_basic_block("entry"))

    # Forms of a state.

    def _unpack(self) -> None:
        self.unpack, builder = self._function("unpack", VOID, STATE, STATE)
        stored, working = self.unpack.args
        zero = number(0)
        for word in range(self.packing.words):
            builder.store(zero, builder.gep(working, [number(word)]))
        position = 0
        for part in self.packing.parts:
            index, shift = divmod(position, WORD)
            value = builder.lshr(
                builder.load(builder.gep(stored, [number(index)]), typ=I64), number(shift)
            )
            if shift + part.width > WORD:
                high = builder.load(builder.gep(stored, [number(index + 1)]), typ=I64)
                value = builder.or_(value, builder.shl(high, number(WORD - shift)))
            mask = (1 << part.width) - 1
            builder.store(
                builder.and_(value, number(mask)), builder.gep(working, [number(part.word)])
            )
            position += part.width
        if not self.packing.idle_stored:
            self._idle(builder, working)
        builder.ret_void()

    def _idle(self, builder: llvm.IRBuilder, working: LlvmValue) -> None:
        """Write the constant records of the idle tasks."""
        for (record, slot, word), value in self.packing.idle_words().items():
            index = self.packing.word(record, slot, word)
            builder.store(number(value), builder.gep(working, [number(index)]))

    def _pack(self) -> None:
        self.pack, builder = self._function("pack", VOID, STATE, STATE)
        working, stored = self.pack.args
        words: list[LlvmValue] = [number(0)] * (self.packing.stored_words + 1)
        position = 0
        for part in self.packing.parts:
            index, shift = divmod(position, WORD)
            value = builder.load(builder.gep(working, [number(part.word)]), typ=I64)
            words[index] = builder.or_(words[index], builder.shl(value, number(shift)))
            if shift + part.width > WORD:
                words[index + 1] = builder.or_(
                    words[index + 1], builder.lshr(value, number(WORD - shift))
                )
            position += part.width
        for index in range(self.packing.stored_words):
            builder.store(words[index], builder.gep(stored, [number(index)]))
        builder.ret_void()

    def _stored_canonical(self) -> None:
        function, builder = self._function("canonical_stored", VOID, STATE, STATE)
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

    # Steps.

    def task_of(self, code: Code) -> LlvmValue:
        """Return the slot of the task that a CPU executes or is switching away from."""
        return code.value(slot_of(Load(self.model.field("cpu", "current"), Context("cpu"))))

    def _step(self) -> None:
        """``step(state, cpu, choice, outcome, range, chosen, covered, touched)``: 1 if made.

        ``choice`` is the outcome of the first step; ``outcome`` says whether an allocation
        among the merged steps fails; ``chosen[0]`` is set if there was one. ``range`` is the
        number of the ports that an open ioperm() call gets; ``chosen[1]`` is set if it got them.
        ``touched`` is set if a field was read or written that may be part of a hidden map.
        """
        self.step, builder = self._function(
            "step", I32, STATE, I64, I64, I64, I64, STATE, BYTES, STATE
        )
        state, cpu, choice, outcome, self._range, chosen, covered, touched = self.step.args
        picked = builder.alloca(I64)
        builder.store(choice, picked)
        builder.store(number(0), chosen)
        self._ports_chosen = builder.gep(chosen, [number(1)])
        builder.store(number(0), self._ports_chosen)
        code = Code(self.model, self.packing, builder, state)
        code.contexts = {"cpu": cpu, "choice": choice}
        code.contexts["task"] = self.task_of(code)
        ends = self._ends()
        self.watch_hidden(code, touched)
        own = code.value(Load(self.model.field("cpu", "pc"), Context("cpu")))
        switching = builder.icmp_unsigned("!=", own, number(0))
        task_pc = code.value(Load(self.model.field("task", "pc"), Context("task")))
        dispatch = builder.switch(builder.select(switching, own, task_pc), ends[1])
        self._crashes: dict[str, LlvmValue] = {}
        self._blocks = {pc: self.step.append_basic_block(f"step{pc}") for pc in self.model.steps}
        self._merged = dict(self._blocks)
        for pc, step in self.model.steps.items():
            if step.choices > 1:
                self._merged[pc] = self._merged_allocation(
                    code, step, (picked, outcome, chosen), ends
                )
                dispatch.add_case(
                    number(pc), self._first_allocation(code, step, (picked, chosen), ends)
                )
            else:
                dispatch.add_case(number(pc), self._blocks[pc])
        for pc, step in self.model.steps.items():
            builder.position_at_end(self._blocks[pc])
            code.contexts["choice"] = builder.load(picked, typ=I64) if step.choices > 1 else choice
            self._one_step(code, step, covered, ends[0])

    def watch_hidden(self, code: Code, touched: LlvmValue) -> None:
        """Let ``touched`` be set wherever the code reads or writes a part of a hidden map."""
        if self.hidden is not None:
            fields = self.hidden.hidden.fields
            code.on_access = lambda field: (
                code.builder.store(number(1), touched) if field in fields else None
            )

    def _ends(self) -> tuple[LlvmValue, LlvmValue]:
        """Return the blocks that return 1 and 0."""
        blocks = []
        for value in (1, 0):
            blocks.append(self.step.append_basic_block(f"return{value}"))
            llvm.IRBuilder(blocks[-1]).ret(llvm.Constant(I32, value))
        return blocks[0], blocks[1]

    def _first_allocation(
        self,
        code: Code,
        step: Step,
        cells: tuple[LlvmValue, LlvmValue],
        ends: tuple[LlvmValue, LlvmValue],
    ) -> LlvmValue:
        """Emit the entry of an allocation that is the first step: the caller chooses."""
        block = self.step.append_basic_block(f"choose{step.pc}")
        code.builder.position_at_end(block)
        code.builder.store(number(_DONE), cells[1])
        code.builder.cbranch(code.truth(step.guard), self._blocks[step.pc], ends[1])
        return block

    def _merged_allocation(
        self,
        code: Code,
        step: Step,
        cells: tuple[LlvmValue, LlvmValue, LlvmValue],
        ends: tuple[LlvmValue, LlvmValue],
    ) -> LlvmValue:
        """Emit the entry of an allocation among merged steps: the lowest slot, or failure."""
        builder, (picked, outcome, chosen) = code.builder, cells
        block, go = (
            self.step.append_basic_block(f"{name}{step.pc}") for name in ("merged", "allocate")
        )
        builder.position_at_end(block)
        first = builder.icmp_unsigned("==", builder.load(chosen, typ=I64), number(0))
        builder.cbranch(first, go, ends[0])
        builder.position_at_end(go)
        builder.store(number(1), chosen)
        record = next(e.record for e in subexpressions(step.guard) if isinstance(e, Mask))
        lowest = builder.cttz(code.mask(Mask("free", record)), llvm.Constant(llvm.IntType(1), 0))
        fails = builder.icmp_unsigned("!=", outcome, number(0))
        builder.store(builder.select(fails, number(step.choices - 1), lowest), picked)
        builder.branch(self._blocks[step.pc])
        return block

    def _one_step(self, code: Code, step: Step, covered: LlvmValue, done: LlvmValue) -> None:
        builder = code.builder
        builder.store(llvm.Constant(I8, 1), builder.gep(covered, [number(step.pc)]))
        own = self.model.field(step.context, "pc")
        slot = Context(step.context)

        def crash() -> LlvmValue:
            crashed = self._crashed(code, step, done)
            crashed.add_incoming(number(step.pc), builder.block)
            return crashed.parent

        def goto(target: int) -> None:
            if self.late is not None and self.late.chosen_between(step.pc, target):
                self._choose_ports(code, self.late)
            code.put(step.context, code.value(slot), code.place(own), number(target))
            self._go_on(code, step, target, done)

        code.on_failure, code.on_goto = crash, goto
        code.on_heap_write = lambda field, record, index: self._watch(
            code, step, covered, (field, record, index)
        )
        code.body(step.body)

    def _crashed(self, code: Code, step: Step, done: LlvmValue) -> LlvmValue:
        """Return the step that crashed, a phi at the start of what all crashes have in common."""
        if step.context not in self._crashes:
            builder = code.builder
            block = self.step.append_basic_block(f"{step.context}_crashed")
            with builder.goto_block(block):
                self._crashes[step.context] = crashed = builder.phi(I64)
                code.crash()
                own = code.place(self.model.field(step.context, "pc"))
                code.put(step.context, code.contexts[step.context], own, crashed)
                builder.branch(done)
        return self._crashes[step.context]

    def _choose_ports(self, code: Code, late: LateArguments) -> None:
        """Give an open ioperm() call the ports that the caller of ``step`` wants."""
        assert late.field is not None  # noqa: S101 - there are open calls
        builder, task, place = code.builder, code.contexts["task"], code.place(late.field)
        valid = builder.icmp_unsigned("!=", code.get("task", task, place), number(0))
        with builder.if_then(valid):
            ports = number(late.values[0])
            for index, value in enumerate(late.values[1:], 1):
                wanted = builder.icmp_unsigned("==", self._range, number(index))
                ports = builder.select(wanted, number(value), ports)
            code.put("task", task, place, ports)
            builder.store(number(1), self._ports_chosen)

    def _watch(
        self, code: Code, step: Step, covered: LlvmValue, write: tuple[Field | None, str, Expr]
    ) -> None:
        """Note a write to a trusted field of an object that others refer to."""
        field, record, index = write
        affected = [
            n
            for n, f in enumerate(self.trusted)
            if f == field or (field is None and f.record == record)
        ]
        if self.merging is None or not affected:
            return
        alone = code.truth(self.merging.unshared(step, record, index))
        with code.builder.if_then(code.builder.not_(alone)):
            for position in affected:
                where = number(watch_base(self.model) + position)
                code.builder.store(llvm.Constant(I8, 1), code.builder.gep(covered, [where]))

    def _go_on(self, code: Code, step: Step, target: int, done: LlvmValue) -> None:
        """End the step, or continue with the next one where that is sound."""
        builder = code.builder
        following = self.model.steps.get(target)
        condition = self.merging.condition(target) if self.merging else Const(0)
        if (
            following is None
            or following.context != step.context
            or condition == Const(0)
            or self._backward(step.pc, target)
        ):
            builder.branch(done)
        elif condition == Const(1):
            builder.branch(self._merged[target])
        else:
            builder.cbranch(code.truth(condition), self._merged[target], done)

    def _backward(self, pc: int, target: int) -> bool:
        """Return whether merging would close a cycle of merged steps."""
        return self.merging is not None and self.merging.closes_cycle(pc, target)

    def _finish(self) -> None:
        """``finish(state, cpu, successor, label, labels, count, covered)``: runs on, stores."""
        self.finish, builder = self._function(
            "finish", I64, STATE, I64, STATE, I32, LABELS, I64, BYTES
        )
        state, cpu, successors, label, labels, count, covered = self.finish.args
        del cpu, covered
        self._make_canonical(builder, state)
        offset = builder.mul(count, number(self.packing.stored_words))
        builder.call(self.pack, [state, builder.gep(successors, [offset])])
        builder.store(label, builder.gep(labels, [count]))
        builder.ret(builder.add(count, number(1)))

    # Verdict.

    def _judge(self) -> None:
        self.judge_working, builder = self._function("judge_working", I64, STATE, STATE)
        state, details = self.judge_working.args
        code = Code(self.model, self.packing, builder, state)
        code.body(self.model.judge)
        for index, name in enumerate(("cpu", "longs")):
            builder.store(code.value(Temp(name)), builder.gep(details, [number(index)]))
        builder.ret(code.value(Temp("verdict")))
        judge, builder = self._function("judge", I64, STATE, STATE)
        work = builder.alloca(I64, self.packing.words)
        builder.call(self.unpack, [judge.args[0], work])
        builder.ret(builder.call(self.judge_working, [work, judge.args[1]]))

    # Successors.

    def _expand(self) -> llvm.Function:
        function, builder = self._function("expand", I64, STATE, STATE, LABELS, BYTES)
        stored, successors, labels, covered = function.args
        state = builder.alloca(I64, self.packing.words)
        details = builder.alloca(I64, 2)
        builder.call(self.unpack, [stored, state])
        verdict = builder.call(self.judge_working, [state, details])
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
        assert hidden is not None  # noqa: S101 - the caller knows
        trial = hidden.emit_trial(expand_cpu, max_successors(self.model))
        function, builder = self._function("expand_and_try", I64, *_EXPAND_CPU)
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
        """Add the number of the blamed statement, for a leak or loss, times VERDICT_SPAN."""
        if not self.model.sites:
            return verdict
        code = Code(self.model, self.packing, builder, state)
        cpu = builder.load(builder.gep(details, [number(0)]), typ=I64)
        blame = code.get("cpu", cpu, code.place(self.model.field("cpu", "blame")))
        ports = builder.or_(
            builder.icmp_unsigned("==", verdict, number(LEAK)),
            builder.icmp_unsigned("==", verdict, number(LOSS)),
        )
        span = builder.mul(builder.select(ports, blame, number(0)), number(VERDICT_SPAN))
        return builder.add(verdict, span)

    def _expand_cpu(self) -> llvm.Function:
        function, builder = self._function("expand_cpu", I64, *_EXPAND_CPU)
        emitter = Successors(self, function, builder)
        code, model = emitter.code, self.model
        cpu_pc = code.value(Load(model.field("cpu", "pc"), Context("cpu")))
        calm = builder.icmp_unsigned("==", cpu_pc, number(0))
        with builder.if_else(calm) as (then, otherwise):
            with then:
                task = code.contexts["task"]
                real = builder.icmp_unsigned("<", task, number(model.tasks))
                with builder.if_then(real):
                    pc = code.value(Load(model.field("task", "pc"), Context("task")))
                    self._rules(
                        emitter,
                        builder.icmp_unsigned("==", pc, number(USER)),
                        model.user_rules,
                        USER_RULE,
                    )
                    threads = builder.icmp_unsigned("==", pc, number(KERNEL_THREAD))
                    self._rules(emitter, threads, model.thread_rules, THREAD_RULE)
                    emitter.steps("task")
                for index, rule in enumerate(model.switch_rules):
                    emitter.rule(rule, SWITCH_RULE + index)
            with otherwise:
                emitter.steps("cpu")
        builder.ret(builder.load(emitter.count, typ=I64))
        return function

    def _rules(
        self, emitter: Successors, condition: LlvmValue, rules: list[Rule], kind: int
    ) -> None:
        with emitter.builder.if_then(condition):
            for index, rule in enumerate(rules):
                if self.late is None or not self.late.is_redundant(rule):
                    emitter.rule(rule, kind + index)
