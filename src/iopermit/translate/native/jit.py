"""Compiles a native model for this machine and keeps the machine code in a cache directory."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import llvmlite.binding as llvm

from iopermit import translate
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
"""How much LLVM optimises."""


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


def cache_directory() -> Path:
    """Return where machine code is kept (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iopermit"


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
    key = _key(model, reductions, assumed, optimised=optimised) if kept else None
    machine = _machine(optimised=optimised)
    cached = None if key is None else _read(key)
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
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        opt=_LEVEL if optimised else 0, cpu=llvm.get_host_cpu_name(), features=features
    )


def _compile(
    code: str, machine: llvm.TargetMachine, key: str | None, *, optimised: bool
) -> llvm.ExecutionEngine:
    module = llvm.parse_assembly(code)
    if optimised:
        _optimise(module, machine)
    engine = llvm.create_mcjit_compiler(module, machine)
    if key is not None:
        engine.set_object_cache(lambda _, code: _write(key, code), lambda _: None)
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


def _key(
    model: Model, reductions: Reductions, assumed: tuple[Assumption, ...], *, optimised: bool
) -> str:
    """Return a hash of everything that the machine code depends on."""
    what = (
        llvm.llvm_version_info,
        llvm.get_host_cpu_name(),
        _own_sources(),
        (
            model.counts,
            model.tasks,
            model.fields,
            model.steps,
            model.preemption,
            model.idle,
            model.sites,
        ),
        (model.user_rules, model.thread_rules, model.switch_rules, model.judge, model.heap),
        (model.map_is_valid, sorted(f.name for f in model.consulted), model.brought_up),
        sorted(sorted(f.name for f in each) for each in model.live_together),
        reductions,
        assumed,
        optimised,
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()


@functools.cache
def _own_sources() -> str:
    """Return a hash of the translation itself: other versions print other code."""
    files = sorted(Path(translate.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def _read(key: str) -> bytes | None:
    try:
        return (cache_directory() / f"{key}.o").read_bytes()
    except OSError:
        return None


def _write(key: str, code: bytes) -> None:
    """Keep machine code if possible; a full or read-only disk only costs time."""
    import tempfile  # machine code of an earlier run needs no new file

    with contextlib.suppress(OSError):
        directory = cache_directory()
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=directory)
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        Path(name).replace(directory / f"{key}.o")
