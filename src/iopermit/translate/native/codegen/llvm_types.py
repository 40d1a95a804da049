"""Types of LLVM, constants, functions and counted loops."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, TypeAlias

from llvmlite import ir as llvm

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@functools.lru_cache(maxsize=4096)
def number(value: int) -> llvm.Constant:
    """Return a 64-bit constant; one that is used again keeps its text."""
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
