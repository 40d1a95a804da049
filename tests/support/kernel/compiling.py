"""Compiles small C programs to objects, as a kernel's are, for tests of the loader."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = (
    *("-O2", "-g", "-gdwarf-4", "-mcmodel=kernel", "-mno-red-zone", "-fno-PIE", "-fno-common"),
    *("-fcf-protection=none", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    *("-mno-sse", "-ffreestanding", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"),
)


def compiled(directory: Path, source: str, name: str = "sample", gcc: Path | None = None) -> Path:
    """Return the object that a C source is compiled to."""
    file, target = directory / f"{name}.c", directory / f"{name}.o"
    file.write_text(source)
    command = [str(gcc or "gcc"), *FLAGS, "-c", str(file), "-o", str(target)]
    subprocess.run(command, check=True, cwd=directory)
    return target
