"""Compiles a piece of code for the states of a model, so that it can be run by itself."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, TypeAlias

import llvmlite.binding as llvm
from llvmlite import ir

from iopermit.translate.native.codegen.llvm_types import I64, STATE, LlvmValue, number
from iopermit.translate.native.codegen.statements import StatementCode

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from iopermit.translate.model.model import Model
    from iopermit.translate.native.packing import Packing

Values: TypeAlias = dict[tuple[str, str], list[int]]
"""The values of all fields, by record and name, for each slot."""


def new_code(packing: Packing, name: str = "run") -> StatementCode:
    """Return the code of a function that takes a state; CPU 0 runs task 0 in it."""
    module = ir.Module("test")
    function = ir.Function(module, ir.FunctionType(I64, [STATE]), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    code = StatementCode(packing.model, packing, builder, function.args[0])
    code.contexts = {"cpu": number(0), "task": number(0), "choice": number(1)}
    return code


def run(
    packing: Packing, emit: Callable[[StatementCode], LlvmValue], values: Values
) -> tuple[int, Values]:
    """Emit code, run it on a state; return what it gives, and the state after it."""
    code = new_code(packing)
    code.builder.ret(emit(code))
    words = call(code.builder.module, "run", packing.working(values))
    return words[0], packing.values(words[1])


def call(module: Any, name: str, words: list[int]) -> tuple[int, list[int]]:  # noqa: ANN401 - of llvmlite
    """Run a function of a module on the words of a state."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=0)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(engine.get_function_address(name))
    array = (ctypes.c_uint64 * len(words))(*words)
    return function(ctypes.addressof(array)), list(array)


def random_values(model: Model, rng: random.Random) -> Values:
    """Return random values of all fields; pointers lead to slots that there are."""
    return {
        (field.record, field.name): [
            rng.randrange((model.counts[field.target] if field.kind == "ref" else field.high) + 1)
            for _ in range(model.counts[field.record])
        ]
        for field in model.fields
    }
