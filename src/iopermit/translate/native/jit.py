"""Compiles a native model for this machine, or takes the machine code that an earlier run kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import llvmlite.binding as llvm

from iopermit.translate.native.code_cache import cache_key, host_features, read, write
from iopermit.translate.native.packing import Packing
from iopermit.translate.native.shared.coverage import CoverageLayout
from iopermit.translate.native.shared.hidden_values import HiddenValues, hidden_values
from iopermit.translate.native.shared.sizes import max_successors

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.reductions import Reductions
    from iopermit.translate.model.model import Model

_LEVEL: Final = 2
"""How much LLVM's code generation optimises."""
_PASSES: Final = 1
"""How much is optimised before that. Level 2 takes a sixth longer to compile, and machine code of
level 1 searches as fast (within 2 %, measured on three models)."""


@dataclass(frozen=True)
class Compiled:
    """The native functions of a model; see `compiled_model` and `engine`."""

    model: Model
    packing: Packing
    reductions: Reductions
    address: Callable[[str], int]
    """Gives the address of a function by name."""
    max_successors: int
    coverage: CoverageLayout
    assumed: tuple[Assumption, ...]
    """What the merging of steps assumes of objects on the heap."""
    hidden: HiddenValues | None
    """What the search and the machine code share about hidden maps."""
    keep: Any
    """Keeps the machine code alive."""


def compile_model(
    model: Model,
    reductions: Reductions,
    assumed: tuple[Assumption, ...] = (),
    *,
    optimised: bool = True,
    kept: bool = True,
) -> Compiled:
    """Compile ``model``; machine code that was ``kept`` for the same input is used again.

    Optimising takes four times as long as all the rest, which a small search does not repay.
    """
    packing = Packing(model)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    key = cache_key(model, reductions, assumed, optimised=optimised) if kept else None
    machine = _machine(optimised=optimised)
    cached = None if key is None else read(key)
    engine = None if cached is None else _load(cached, machine)
    if engine is None:
        # machine code of an earlier run needs none of it
        from iopermit.translate.native.compiled_model import NativeModel

        code = str(NativeModel(model, packing, reductions, assumed).module)
        engine = _compile(code, machine, key, optimised=optimised)
    return Compiled(
        model,
        packing,
        reductions,
        engine.get_function_address,
        max_successors(model),
        CoverageLayout.of(model, len(assumed)),
        assumed,
        hidden_values(model, engine.get_global_value_address),
        (engine, machine),
    )


def _machine(*, optimised: bool) -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        opt=_LEVEL if optimised else 0, cpu=llvm.get_host_cpu_name(), features=host_features()
    )


def _compile(
    code: str, machine: llvm.TargetMachine, key: str | None, *, optimised: bool
) -> llvm.ExecutionEngine:
    module = llvm.parse_assembly(code)
    if optimised:
        _optimise(module, machine)
    engine = llvm.create_mcjit_compiler(module, machine)
    if key is not None:
        engine.set_object_cache(lambda _, code: write(key, code), lambda _: None)
    engine.finalize_object()
    return engine


def _load(code: bytes, machine: llvm.TargetMachine) -> llvm.ExecutionEngine | None:
    """Return an engine with machine code of an earlier run, or None if it is damaged."""
    try:
        objects = llvm.ObjectFileRef.from_data(code)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(objects)
        engine.finalize_object()
    except (RuntimeError, ValueError):
        return None
    return engine if engine.get_function_address("expand") else None


def _optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=_PASSES)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
