"""Tests that pointers and numbers are renamed as a loop over all places would do it."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir

from iopermit.translate.native.canonical.renaming import FirstMentions, NameTable
from iopermit.translate.native.codegen.llvm_types import STATE, VOID, number
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.packing import Place

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = [(5, 3, 6), (12, 4, 15), (70, 4, 15), (20, 9, 300), (1, 1, 1)]
"""Number of places, bits of each, highest name: what a vector and a word can hold, and more."""


def renamed(places: int, bits: int, highest: int) -> Callable[[list[int]], list[int]]:
    """Return native code that renames in a state of one word per place, by first mention."""
    module = ir.Module("test")
    function = ir.Function(module, ir.FunctionType(VOID, [STATE]), "rename")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    packing: Any = SimpleNamespace(words_per_slot={"task": 1}, base={"task": 0})
    model: Any = None
    code = StatementCode(model, packing, builder, function.args[0])
    mentions = [("task", slot, Place(0, 0, bits)) for slot in range(places)]
    found, names = FirstMentions(code, mentions, highest), NameTable(code, highest)
    for name in range(1, highest + 1):
        new, mentioned = found.new_name(number(name))
        names.enter(number(name), builder.select(mentioned, new, number(0)))
    builder.store(found.count, builder.gep(function.args[0], [number(places)]))
    names.rewrite(mentions)
    builder.ret_void()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=0)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    native = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("rename"))

    def call(values: list[int]) -> list[int]:
        array = (ctypes.c_uint64 * (places + 1))(*values)
        native(ctypes.addressof(array))
        assert engine
        return list(array)

    return call


def by_a_loop(values: list[int]) -> list[int]:
    """Number the names from 1 in the order of their first mention; 0 stays."""
    names: dict[int, int] = {0: 0}
    result = [names.setdefault(value, len(names)) for value in values]
    return [*result, len(names) - 1]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_names_follow_their_first_mention(size: tuple[int, int, int]) -> None:
    """Whatever the places hold, names are numbered by first mention, and 0 is none."""
    places, _, highest = size
    call = renamed(*size)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.integers(0, highest), min_size=places, max_size=places))
    def agrees(values: list[int]) -> None:
        assert call(values) == by_a_loop(values)

    agrees()
