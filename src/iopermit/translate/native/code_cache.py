"""Keeps machine code of earlier runs, each under a hash of all that it depends on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

import llvmlite
import llvmlite.binding as llvm

from iopermit import translate
from iopermit.cache.entry import Origin, sealed, unsealed
from iopermit.cache.errors import RejectedError, UntrustedError, explain_once
from iopermit.cache.files import read_own, write_own
from iopermit.cache.key import sealing_key
from iopermit.cache.locations import machine_code

if TYPE_CHECKING:
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.reductions import Reductions
    from iopermit.translate.model.model import Model

_TRIMMED_EVERY: Final = 16_000_000
"""Bytes that a process writes between two looks at the size of the cache."""


def cache_key(
    model: Model, reductions: Reductions, assumed: tuple[Assumption, ...], *, optimised: bool
) -> str:
    """Return a hash of everything that the machine code depends on."""
    what = (
        toolchain(),
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


@functools.cache
def toolchain() -> str:
    """Return a hash of what makes the machine code: the emission, LLVM, the processor it is for."""
    what = (
        llvmlite.__version__,
        llvm.llvm_version_info,
        llvm.get_default_triple(),
        llvm.get_host_cpu_name(),
        # A virtual machine may hide some from the same processor.
        host_features(),
        hash_of_sources(Path(translate.__file__).parent),
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()


@functools.cache
def host_features() -> str:
    """Return the features of this processor as LLVM writes them; asking takes 0.4 ms."""
    features: str = llvm.get_host_cpu_features().flatten()
    return features


def read(key: str) -> bytes | None:
    """Return the machine code kept under a key, or None if there is none that can be used."""
    try:
        file = machine_code().ready(create=False) / f"{key}.o"
        code = unsealed(read_own(file), _origin(key), sealing_key())
    except (UntrustedError, RejectedError) as error:
        explain_once(error, f"cached machine code ({key}.o)")
        return None
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return code


def write(key: str, code: bytes) -> None:
    """Keep machine code if possible; a full or read-only disk only costs time."""
    try:
        directory = machine_code().ready()
        write_own(directory / f"{key}.o", sealed(code, _origin(key), sealing_key()))
    except UntrustedError as error:
        explain_once(error)
    except OSError:
        return
    else:
        _trim(directory, len(code))


def _origin(key: str) -> Origin:
    return Origin("machine code", key, toolchain())


_unlooked = _TRIMMED_EVERY
"""Bytes written since the size of the cache was looked at; the first write looks."""


def _trim(directory: Path, written: int) -> None:
    """Keep the cache small, without looking through all of it again and again."""
    from iopermit.cache.eviction import trim  # machine code of an earlier run needs none of it

    global _unlooked  # noqa: PLW0603 - counts for this process
    _unlooked += written
    if _unlooked >= _TRIMMED_EVERY:
        _unlooked = 0
        trim(directory, machine_code().limit, directories=False)
