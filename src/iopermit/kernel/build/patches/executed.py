"""Which of the files that patches change are executed by the build, and not only compiled."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iopermit.kernel.build.source import Source

_MAKE: Final = re.compile(r"(?:gnu)?makefile.*|kbuild.*|kconfig.*|.*\.mk", re.IGNORECASE)
_DIRECTORIES: Final = ("scripts/", "tools/", "arch/x86/tools/", "arch/x86/boot/")
_COMPILED: Final = {".c", ".h", ".S", ".rst", ".md", ".yaml", ".txt", ".lds", ".tbl"}
_HOST_PROGRAM: Final = re.compile(r"^\s*+(?:hostprogs|userprogs)\b[^=\n]*=([^\n]*)", re.MULTILINE)


def executed_by_make(source: Source) -> list[str]:
    """Return the changed files with what a build executes with the rights of its user.

    These are Makefiles, Kbuild and Kconfig files, everything below `scripts/` and `tools/`, scripts
    elsewhere, and the sources of programs that a Makefile compiles for the build itself.
    """
    return sorted(
        path
        for path, data in source.changed.items()
        if data is not None and (_is_executed(path, data, source) or source.changes_mode(path))
    )


def _is_executed(path: str, data: bytes, source: Source) -> bool:
    name = PurePosixPath(path)
    if _MAKE.fullmatch(name.name) or path.startswith(_DIRECTORIES) or data.startswith(b"#!"):
        return True
    # A script has any suffix, or none.
    return name.suffix not in _COMPILED or _is_of_host_program(name, source)


def _is_of_host_program(path: PurePosixPath, source: Source) -> bool:
    """Return whether a Makefile beside a file has programs for the build, one of which it is of."""
    for name in ("Makefile", "Kbuild"):
        text = source.text(str(path.parent / name)).replace("\\\n", " ")
        names = {word for line in _HOST_PROGRAM.findall(text) for word in line.split()}
        if any(path.stem.startswith(program) for program in names):
            return True
    return False
