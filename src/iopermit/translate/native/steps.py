"""Prints the steps of a model, and what follows each at once where steps are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.analyses.assumptions import Reclaimed
from iopermit.translate.analyses.merging import may_run_user_code_after
from iopermit.translate.model.builder import dangling, slot_of
from iopermit.translate.model.nodes import (
    CPU,
    TASK,
    USER,
    VERDICTS,
    Clear,
    Const,
    Expr,
    Field,
    Load,
    Mask,
    StepParameter,
)
from iopermit.translate.model.walk import statements
from iopermit.translate.native.codegen.llvm_types import (
    BYTES,
    I1,
    I8,
    I32,
    I64,
    STATE,
    LlvmValue,
    new_function,
    number,
)
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.early import EarlySteps
from iopermit.translate.native.shared.coverage import CoverageLayout

if TYPE_CHECKING:
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.analyses.merging import Merging
    from iopermit.translate.model.model import Allocation, Model, Step
    from iopermit.translate.native.canonical.hidden_maps import HiddenCode
    from iopermit.translate.native.packing import Packing

_DONE = 2
"""Value of ``chosen`` when the first step was an allocation."""


def task_of(code: StatementCode) -> LlvmValue:
    """Return the slot of the task that a CPU executes or is switching away from."""
    return code.value(slot_of(Load(code.model.kernel.current, CPU)))


def watch_hidden(code: StatementCode, hidden: HiddenCode | None, touched: LlvmValue) -> None:
    """Let ``touched`` be set wherever the code reads or writes a part of a hidden map."""
    if hidden is not None:
        fields = hidden.hidden.fields
        code.on_access = lambda field: (
            code.builder.store(number(1), touched) if field in fields else None
        )


class StepFunction:
    """Emits ``step``, which executes the next step of what runs on a CPU."""

    def __init__(
        self,
        module: llvm.Module,
        model: Model,
        packing: Packing,
        merging: Merging | None,
        late: LateArguments | None,
        hidden: HiddenCode | None,
        assumed: tuple[Assumption, ...],
    ) -> None:
        """Emit it; without ``merging`` a step ends where the next one begins.

        Where every violation is wanted, it calls the ``check_working`` of the module.
        """
        self.module, self.model, self.packing = module, model, packing
        self.merging, self.late, self.hidden, self.assumed = merging, late, hidden, assumed
        self.coverage = CoverageLayout.of(model, len(assumed))
        self._step()

    def _step(self) -> None:
        """``step(state, cpu, choice, outcome, range, chosen, covered, touched)``: 1 if made.

        ``choice`` is the outcome of the first step; ``outcome`` says whether an allocation
        among the merged steps fails; ``chosen[0]`` is set if there was one. ``range`` is the
        number of the ports that an open ioperm() call gets; ``chosen[1]`` is set if it got them.
        ``touched`` is set if a field was read or written that may be part of a hidden map.
        """
        self.function, builder = new_function(
            self.module, "step", I32, STATE, I64, I64, I64, I64, STATE, BYTES, STATE
        )
        state, cpu, choice, outcome, self._range, chosen, covered, touched = self.function.args
        picked = builder.alloca(I64)
        builder.store(choice, picked)
        builder.store(number(0), chosen)
        self._ports_chosen = builder.gep(chosen, [number(1)])
        builder.store(number(0), self._ports_chosen)
        code = StatementCode(self.model, self.packing, builder, state)
        code.contexts = {"cpu": cpu, "choice": choice}
        code.contexts["task"] = task_of(code)
        ends = self._ends()
        watch_hidden(code, self.hidden, touched)
        wanted = self.merging is not None and self.model.blame is not None
        self._early = self._early_steps(code) if wanted else None
        own = code.value(Load(self.model.kernel.cpu_pc, CPU))
        switching = builder.icmp_unsigned("!=", own, number(0))
        task_pc = code.value(Load(self.model.kernel.task_pc, TASK))
        dispatch = builder.switch(builder.select(switching, own, task_pc), ends[1])
        self._failures: dict[tuple[str, int], LlvmValue] = {}
        self._entries: dict[int, LlvmValue] = {}
        self._blocks = {
            pc: self.function.append_basic_block(f"step{pc}") for pc in self.model.steps
        }
        self._merged = dict(self._blocks)
        for pc, step in self.model.steps.items():
            if self._early is not None and may_run_user_code_after(step):
                self._merged[pc] = self._early.keep(self._blocks[pc])
            if step.allocation is not None:
                self._merged[pc] = self._merged_allocation(
                    code, pc, step.allocation, (picked, outcome, chosen), ends
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

    def _early_steps(self, code: StatementCode) -> EarlySteps:
        check = self.module.get_global("check_working")
        return EarlySteps(code, self.packing.words, check)

    def _ends(self) -> tuple[LlvmValue, LlvmValue]:
        """Return the blocks that return 1 and 0."""
        blocks = []
        for value in (1, 0):
            blocks.append(self.function.append_basic_block(f"return{value}"))
            llvm.IRBuilder(blocks[-1]).ret(llvm.Constant(I32, value))
        return blocks[0], blocks[1]

    def _first_allocation(
        self,
        code: StatementCode,
        step: Step,
        cells: tuple[LlvmValue, LlvmValue],
        ends: tuple[LlvmValue, LlvmValue],
    ) -> LlvmValue:
        """Emit the entry of an allocation that is the first step: the caller chooses."""
        block = self.function.append_basic_block(f"choose{step.pc}")
        code.builder.position_at_end(block)
        code.builder.store(number(_DONE), cells[1])
        code.builder.cbranch(code.truth(step.guard), self._blocks[step.pc], ends[1])
        return block

    def _merged_allocation(
        self,
        code: StatementCode,
        pc: int,
        allocation: Allocation,
        cells: tuple[LlvmValue, LlvmValue, LlvmValue],
        ends: tuple[LlvmValue, LlvmValue],
    ) -> LlvmValue:
        """Emit the entry of an allocation among merged steps: the lowest slot, or failure."""
        builder, (picked, outcome, chosen) = code.builder, cells
        block, go = (
            self.function.append_basic_block(f"{name}{pc}") for name in ("merged", "allocate")
        )
        builder.position_at_end(block)
        first = builder.icmp_unsigned("==", builder.load(chosen, typ=I64), number(0))
        builder.cbranch(first, go, ends[0])
        builder.position_at_end(go)
        builder.store(number(1), chosen)
        lowest = builder.cttz(code.mask(allocation.free), llvm.Constant(I1, 0))
        fails = builder.icmp_unsigned("!=", outcome, number(0))
        builder.store(builder.select(fails, number(allocation.slots), lowest), picked)
        builder.branch(self._blocks[pc])
        return block

    def _one_step(
        self, code: StatementCode, step: Step, covered: LlvmValue, done: LlvmValue
    ) -> None:
        builder = code.builder
        builder.store(
            llvm.Constant(I8, 1), builder.gep(covered, [number(self.coverage.step(step.pc))])
        )
        own = self.model.field(step.context, "pc")
        slot = StepParameter(step.context)

        def fail(verdict: int) -> LlvmValue:
            crashed = self._failed(code, step, verdict, done)
            if self._early is None:
                crashed.add_incoming(number(step.pc), builder.block)
                return crashed.parent
            block = self._early.unless_early(crashed.parent, done)
            crashed.add_incoming(number(step.pc), block)
            return block

        def goto(target: int) -> None:
            if self.late is not None and self.late.chosen_between(step.pc, target):
                self._choose_ports(code, self.late)
            self._watch_freed(code, step, covered)
            code.put(step.context, code.value(slot), code.place(own), number(target))
            self._go_on(code, step, target, done)

        code.on_failure, code.on_goto = fail, goto
        code.on_store = lambda field, value: self._note_grant(code, covered, field, value)
        code.on_heap_write = lambda field, record, index: self._watch(
            code, step, covered, (field, record, index)
        )
        code.body(step.body)

    def _note_grant(
        self, code: StatementCode, covered: LlvmValue, field: Field, value: LlvmValue
    ) -> None:
        """Note that a task is granted a port."""
        kernel, builder = self.model.kernel, code.builder
        if field in (kernel.granted, kernel.granted_iopl):
            with builder.if_then(builder.icmp_unsigned("!=", value, number(0))):
                place = builder.gep(covered, [number(self.coverage.grant)])
                builder.store(llvm.Constant(I8, 1), place)

    def _failed(self, code: StatementCode, step: Step, verdict: int, done: LlvmValue) -> LlvmValue:
        """Return the step that failed, a phi at the start of what all such failures share."""
        key = step.context, verdict
        if key not in self._failures:
            builder = code.builder
            block = self.function.append_basic_block(f"{step.context}_{VERDICTS[verdict]}")
            with builder.goto_block(block):
                self._failures[key] = crashed = builder.phi(I64)
                code.fail(verdict)
                own = code.place(self.model.field(step.context, "pc"))
                code.put(step.context, code.contexts[step.context], own, crashed)
                builder.branch(done)
        return self._failures[key]

    def _choose_ports(self, code: StatementCode, late: LateArguments) -> None:
        """Give an open ioperm() call the ports that the caller of ``step`` wants."""
        assert late.field is not None  # there are open calls
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
        self,
        code: StatementCode,
        step: Step,
        covered: LlvmValue,
        write: tuple[Field | None, str, Expr],
    ) -> None:
        """Note a write to an assumed field of an object that others refer to."""
        field, record, index = write
        affected = [
            n
            for n, f in enumerate(self.assumed)
            if isinstance(f, Field) and (f == field or (field is None and f.record == record))
        ]
        if self.merging is None or not affected:
            return
        alone = code.truth(self.merging.unshared(step, record, index))
        with code.builder.if_then(code.builder.not_(alone)):
            for position in affected:
                self._break(code, covered, position)

    def _watch_freed(self, code: StatementCode, step: Step, covered: LlvmValue) -> None:
        """Note a step that frees an object and leaves a pointer to it."""
        freed = {s.record for s in statements(step.body) if isinstance(s, Clear)}
        for position, what in enumerate(self.assumed):
            if self.merging is None or not isinstance(what, Reclaimed) or what.record not in freed:
                continue
            left = dangling(Mask("free", what.record), self.model.counts[what.record])
            with code.builder.if_then(code.truth(left)):
                self._break(code, covered, position)

    def _break(self, code: StatementCode, covered: LlvmValue, position: int) -> None:
        """Tell the search that an assumption is broken."""
        where = number(self.coverage.assumption(position))
        code.builder.store(llvm.Constant(I8, 1), code.builder.gep(covered, [where]))

    def _go_on(self, code: StatementCode, step: Step, target: int, done: LlvmValue) -> None:
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
            if self._early is not None and (target == USER or step.ends_switch):
                self._early.judge(done)
            else:
                builder.branch(done)
            return
        builder.branch(self._entry(code, target, condition, done))

    def _entry(
        self, code: StatementCode, target: int, condition: Expr, done: LlvmValue
    ) -> LlvmValue:
        """Return a block that goes on with a step if it may be merged, whichever one is before it.

        Such a condition is about the state alone (`known_before`).
        """
        if target not in self._entries:
            builder, block = code.builder, self.function.append_basic_block(f"enter{target}")
            self._entries[target] = block
            with builder.goto_block(block):
                if self._early is not None:
                    self._early.begin()
                code.jump(condition, self._merged[target], done)
        return self._entries[target]

    def _backward(self, pc: int, target: int) -> bool:
        """Return whether merging would close a cycle of merged steps."""
        return self.merging is not None and self.merging.closes_cycle(pc, target)
