"""Prints the forgetting of hidden maps, and the trial that shows whether they matter.

Two arrays of the module are shared with the search: ``hidden_values`` tells which hidden maps
it has met, ``hidden_flags`` whether the reduction is on (ON), a hidden map was met that was not
known (GREW), and one made a difference (MATTERED). After the last two nothing counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.model.nodes import Mask
from iopermit.translate.native.codegen.llvm_types import (
    BYTES,
    I1,
    I8,
    I32,
    I64,
    STATE,
    VOID,
    LlvmValue,
    counted,
    new_function,
    number,
)
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.shared.hidden_values import FLAGS, GREW, MATTERED, ON, VALUES

if TYPE_CHECKING:
    from iopermit.translate.analyses.hidden_maps import HiddenMaps
    from iopermit.translate.native.packing import Packing


class HiddenCode:
    """Emits what forgets and tries hidden maps, into one module."""

    def __init__(self, module: llvm.Module, packing: Packing, hidden: HiddenMaps) -> None:
        """Declare the arrays and emit ``is_hidden`` and ``hide``."""
        self.module, self.packing, self.hidden = module, packing, hidden
        self.values = self._array(VALUES, 1 << hidden.bits)
        self.flags = self._array(FLAGS, 3)
        self.is_hidden = self._emit_is_hidden()
        self.hide = self._emit_hide()

    def _array(self, name: str, size: int) -> llvm.GlobalVariable:
        array = llvm.GlobalVariable(self.module, llvm.ArrayType(I8, size), name)
        array.initializer = llvm.Constant(llvm.ArrayType(I8, size), None)  # zeroes
        return array

    def _code(self, builder: llvm.IRBuilder, state: LlvmValue) -> StatementCode:
        return StatementCode(self.hidden.model, self.packing, builder, state)

    def flag(self, builder: llvm.IRBuilder, which: int) -> LlvmValue:
        """Return the address of a flag."""
        return builder.gep(self.flags, [number(0), number(which)])

    def _emit_is_hidden(self) -> llvm.Function:
        """``is_hidden(state, cpu)``: the reduction is on, and the TSS holds a hidden map."""
        function, builder = new_function(self.module, "is_hidden", I1, STATE, I64)
        state, cpu = function.args
        code = self._code(builder, state)
        code.contexts = {"cpu": cpu}
        on = builder.icmp_unsigned(
            "!=", builder.load(self.flag(builder, ON), typ=I8), llvm.Constant(I8, 0)
        )
        builder.ret(builder.and_(on, code.truth(self.hidden.condition())))
        return function

    def _number(self, code: StatementCode, cpu: LlvmValue) -> LlvmValue:
        """Return the number of the hidden map of a TSS."""
        builder, total, shift = code.builder, number(0), 0
        for field in self.hidden.fields:
            value = code.get("tss", cpu, code.place(field))
            if field.kind == "counter":
                value = builder.zext(builder.icmp_unsigned("!=", value, number(0)), I64)
            total = builder.or_(total, builder.shl(value, number(shift)))
            shift += self.hidden.width(field)
        return total

    def put(self, code: StatementCode, cpu: LlvmValue, which: LlvmValue) -> None:
        """Write the hidden map of a number; a sequence number becomes one that nothing holds."""
        builder, shift = code.builder, 0
        for field in self.hidden.fields:
            width = self.hidden.width(field)
            value = builder.and_(builder.lshr(which, number(shift)), number((1 << width) - 1))
            if field.kind == "counter":
                held = builder.or_(code.mask(Mask("counters")), number(1))
                unused = builder.cttz(builder.not_(held), llvm.Constant(I1, 0))
                value = builder.select(
                    builder.icmp_unsigned("!=", value, number(0)), unused, number(0)
                )
            code.put("tss", cpu, code.place(field), value)
            shift += width

    def _emit_hide(self) -> llvm.Function:
        """``hide(state)``: note every hidden map and put a fresh one in its place."""
        function, builder = new_function(self.module, "hide", VOID, STATE)
        state = function.args[0]
        code = self._code(builder, state)
        for slot in range(self.hidden.model.counts["cpu"]):
            cpu = number(slot)
            with builder.if_then(builder.call(self.is_hidden, [state, cpu])):
                which = self._number(code, cpu)
                known = builder.gep(self.values, [number(0), which])
                new = builder.icmp_unsigned("==", builder.load(known, typ=I8), llvm.Constant(I8, 0))
                with builder.if_then(new):
                    builder.store(llvm.Constant(I8, 1), known)
                    builder.store(llvm.Constant(I8, 1), self.flag(builder, GREW))
                self.put(code, cpu, number(self.hidden.fresh_number))
        builder.ret_void()
        return function

    def emit_trial(self, expand_cpu: llvm.Function, most: int) -> llvm.Function:
        """``trial(state, cpu, successors, amount, covered)``: does a hidden map matter?

        Every other hidden map that was met has to lead to the same ``amount`` successors.
        """
        function, builder = new_function(self.module, "trial", VOID, STATE, I64, STATE, I64, BYTES)
        state, cpu, successors, amount, covered = function.args
        code = self._code(builder, state)
        scratch = builder.alloca(I64, most * self.packing.stored_words)
        labels, touched = builder.alloca(I32, most), builder.alloca(I64)
        builder.store(number(1), touched)
        with (
            counted(builder, number(1 << self.hidden.bits)) as which,
            builder.if_then(self._is_to_be_tried(builder, which)),
        ):
            self.put(code, cpu, which)
            count = builder.call(
                expand_cpu, [state, cpu, scratch, labels, number(0), covered, touched]
            )
            self._compare(builder, (scratch, count), (successors, amount))
        self.put(code, cpu, number(self.hidden.fresh_number))
        builder.ret_void()
        return function

    def _is_to_be_tried(self, builder: llvm.IRBuilder, which: LlvmValue) -> LlvmValue:
        known = builder.load(builder.gep(self.values, [number(0), which]), typ=I8)
        return builder.and_(
            builder.icmp_unsigned("!=", known, llvm.Constant(I8, 0)),
            builder.icmp_unsigned("!=", which, number(self.hidden.fresh_number)),
        )

    def _compare(
        self,
        builder: llvm.IRBuilder,
        found: tuple[LlvmValue, LlvmValue],
        wanted: tuple[LlvmValue, LlvmValue],
    ) -> None:
        """Raise the flag MATTERED if two lists of successors differ."""
        mattered = self.flag(builder, MATTERED)
        one = llvm.Constant(I8, 1)
        with builder.if_then(builder.icmp_unsigned("!=", found[1], wanted[1])):
            builder.store(one, mattered)
        words = builder.mul(wanted[1], number(self.packing.stored_words))
        with counted(builder, words) as index:
            left, right = (
                builder.load(builder.gep(base, [index]), typ=I64) for base in (found[0], wanted[0])
            )
            with builder.if_then(builder.icmp_unsigned("!=", left, right)):
                builder.store(one, mattered)
