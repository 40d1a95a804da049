"""Keeps machine code of earlier runs, each under a hash of all that it depends on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import llvmlite.binding as llvm

from iopermit import translate

if TYPE_CHECKING:
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.reductions import Reductions
    from iopermit.translate.model.model import Model


def cache_directory() -> Path:
    """Return where machine code is kept (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iopermit"


def cache_key(
    model: Model, reductions: Reductions, assumed: tuple[Assumption, ...], *, optimised: bool
) -> str:
    """Return a hash of everything that the machine code depends on."""
    what = (
        llvm.llvm_version_info,
        llvm.get_host_cpu_name(),
        hash_of_sources(Path(translate.__file__).parent),
        {each.name: _in_order(getattr(model, each.name)) for each in fields(model)},
        reductions,
        assumed,
        optimised,
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _in_order(value: object) -> object:
    """Return an attribute of a model with its sets of fields as lists, which have one order."""
    match value:
        case frozenset():
            return sorted((each.record, each.name) for each in value)
        case dict():
            return {key: _in_order(each) for key, each in value.items()}
        case list():
            return [_in_order(each) for each in value]
    return value


@functools.cache
def hash_of_sources(folder: Path) -> str:
    """Return a hash of all Python files in a folder: other versions print other code."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        total.update(f"{file.relative_to(folder)}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def read(key: str) -> bytes | None:
    """Return the machine code kept under a key, or None."""
    try:
        return (cache_directory() / f"{key}.o").read_bytes()
    except OSError:
        return None


def write(key: str, code: bytes) -> None:
    """Keep machine code if possible; a full or read-only disk only costs time."""
    import tempfile  # machine code of an earlier run needs no new file

    with contextlib.suppress(OSError):
        directory = cache_directory()
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=directory)
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        Path(name).replace(directory / f"{key}.o")
