"""Compiles a native model for this machine and keeps the machine code in a cache directory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TYPE_CHECKING

import llvmlite.binding as llvm

from iopermit.translate.native import NativeModel, Reductions
from iopermit.translate.packing import Packing

if TYPE_CHECKING:
    from iopermit.translate.ir import Field, Model


@dataclass(frozen=True)
class Compiled:
    """Addresses of the native functions of a model; see :mod:`iopermit.translate.native`."""

    model: Model
    packing: Packing
    reductions: Reductions
    expand: int
    judge: int
    canonical: int
    pack: int
    unpack: int
    max_successors: int
    coverage_size: int
    trusted: tuple[Field, ...]
    """Fields of heap objects assumed never to be written while shared."""
    watch_base: int
    """Where the coverage bytes tell which of them were."""
    keep: Any
    """Keeps the machine code alive."""


def cache_directory() -> Path:
    """Return where machine code is kept (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iopermit"


def compile_model(
    model: Model, reductions: Reductions, trusted: tuple[Field, ...] = ()
) -> Compiled:
    """Compile ``model``; machine code from an earlier run with the same input is used again."""
    packing = Packing(model)
    native = NativeModel(model, packing, reductions, trusted)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    text = str(native.module)
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=2, cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    key = hashlib.sha256(
        f"{llvm.llvm_version_info} {llvm.get_host_cpu_name()} {text}".encode()
    ).hexdigest()
    cached = _read(key)
    module = llvm.parse_assembly(text)
    module.name = key
    if cached is None:
        _optimise(module, machine)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.set_object_cache(lambda _, code: _write(key, code), lambda _: cached)
    engine.finalize_object()
    address = engine.get_function_address
    return Compiled(
        model,
        packing,
        reductions,
        address("expand"),
        address("judge"),
        address("canonical_stored"),
        address("pack"),
        address("unpack"),
        native.max_successors,
        native.watch_base + len(trusted),
        trusted,
        native.watch_base,
        (engine, machine),
    )


def _optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def _read(key: str) -> bytes | None:
    try:
        return (cache_directory() / f"{key}.o").read_bytes()
    except OSError:
        return None


def _write(key: str, code: bytes) -> None:
    """Keep machine code if possible; a full or read-only disk only costs time."""
    with contextlib.suppress(OSError):
        directory = cache_directory()
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=directory)
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        Path(name).replace(directory / f"{key}.o")
