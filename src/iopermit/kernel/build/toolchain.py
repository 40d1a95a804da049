"""The programs that a kernel build needs: which compiler, and what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from iopermit.kernel.errors import BuildError

_NEEDED = {"make": "make", "flex": "flex", "bison": "bison", "bc": "bc"}
"""Programs besides the compiler and linker, and the Debian packages that have them."""


@dataclass(frozen=True)
class Toolchain:
    """The compiler and how make is told about it.

    Attributes:
        compiler: What identifies it: the first line of `--version` and its target.
        make_arguments: `CC=...` and the like.
        programs: The programs, as they are found on the PATH.
    """

    compiler: str
    make_arguments: tuple[str, ...]
    programs: tuple[Path, ...] = ()


def find_toolchain() -> Toolchain:
    """Find the compiler: $CC, or ${CROSS_COMPILE}gcc, as in a kernel build.

    Raises:
        BuildError: A program is missing, or the compiler does not compile for x86-64.
    """
    prefix = os.environ.get("CROSS_COMPILE", "")
    compiler = os.environ.get("CC") or f"{prefix}gcc"
    needed = {compiler.split()[0]: "gcc", f"{prefix}ld": "binutils", **_NEEDED}
    missing = {name: package for name, package in needed.items() if shutil.which(name) is None}
    if missing:
        packages = " ".join(dict.fromkeys(missing.values()))
        raise BuildError(
            f"building kernel code needs {', '.join(missing)}, not found on the PATH; on Debian "
            f"and Ubuntu: apt-get install {packages}"
        )
    version = _ask(compiler, "--version").partition("\n")[0]
    target = _ask(compiler, "-dumpmachine").strip()
    if not target.startswith("x86_64"):
        raise BuildError(
            f"{compiler} compiles for {target}, not for x86-64; set CROSS_COMPILE, for example "
            f"CROSS_COMPILE=x86_64-linux-gnu-"
        )
    host = () if prefix else (f"HOSTCC={compiler}",)
    named = dict.fromkeys((*compiler.split(), *needed))
    programs = tuple(Path(found) for name in named if (found := shutil.which(name)))
    return Toolchain(f"{version} ({target})", (f"CC={compiler}", *host), programs)


def _ask(compiler: str, option: str) -> str:
    command = [*compiler.split(), option]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"the compiler does not work: {' '.join(command)}: {error}") from error
