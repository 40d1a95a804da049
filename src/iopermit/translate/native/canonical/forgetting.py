"""Prints the clearing of what does not matter in a state: dead fields, arguments not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.native.codegen.llvm_types import I8, I64, number

if TYPE_CHECKING:
    from iopermit.translate.analyses.dead_fields import DeadFields
    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.native.codegen.statements import StatementCode


def clear_dead_fields(code: StatementCode, dead: DeadFields) -> None:
    """Zero the dead fields of every task, by a table of masks for each ``pc``."""
    packing, builder = code.packing, code.builder
    words = sorted({packing.places[field].word for field in dead.fields})
    kernel = code.model.kernel
    pc, thread = code.place(kernel.task_pc), code.place(kernel.kernel_thread)
    tables = {word: _masks(code, dead, word, 1 << pc.width) for word in words}
    for task in range(code.model.tasks):
        slot = number(task)
        row = builder.add(
            builder.shl(code.get("task", slot, pc), number(1)), code.get("task", slot, thread)
        )
        for word, table in tables.items():
            pointer = code.word_pointer("task", slot, word)
            keep = builder.load(builder.gep(table, [number(0), row]), typ=I64)
            builder.store(builder.and_(builder.load(pointer, typ=I64), keep), pointer)


def forget_open_arguments(code: StatementCode, late: LateArguments) -> None:
    """Give every ioperm() call that nothing has looked at yet the same ports."""
    assert late.field is not None  # there are open calls
    builder, place, pc = (
        code.builder,
        code.place(late.field),
        code.place(code.model.kernel.task_pc),
    )
    kind = llvm.ArrayType(I8, 1 << pc.width)
    is_open = llvm.GlobalVariable(builder.module, kind, "open_calls")
    is_open.global_constant, is_open.linkage = True, "internal"
    is_open.initializer = llvm.Constant(kind, [int(n in late.open) for n in range(1 << pc.width)])
    for task in range(code.model.tasks):
        slot = number(task)
        entry = builder.gep(is_open, [number(0), code.get("task", slot, pc)])
        ports = code.get("task", slot, place)
        forget = builder.and_(
            builder.icmp_unsigned("!=", builder.load(entry, typ=I8), llvm.Constant(I8, 0)),
            builder.icmp_unsigned("!=", ports, number(0)),
        )
        code.put("task", slot, place, builder.select(forget, number(late.values[0]), ports))


def _masks(code: StatementCode, dead: DeadFields, word: int, pcs: int) -> llvm.GlobalVariable:
    """Return a table of the bits to keep of a task's word, two entries for each ``pc``."""
    rows = []
    for pc in range(pcs):
        for thread in (False, True):
            places = [code.packing.places[f] for f in dead.dead(pc, kernel_thread=thread)]
            cleared = sum(place.mask for place in places if place.word == word)
            rows.append(((1 << 64) - 1) & ~cleared)
    kind = llvm.ArrayType(I64, len(rows))
    table = llvm.GlobalVariable(code.builder.module, kind, f"live_bits_{word}")
    table.global_constant, table.linkage = True, "internal"
    table.initializer = llvm.Constant(kind, rows)
    return table
