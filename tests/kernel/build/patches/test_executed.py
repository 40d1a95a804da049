"""Which changed files a build executes."""

from __future__ import annotations

from pathlib import Path

import pytest

from iopermit.kernel.build.patches.executed import executed_by_make
from iopermit.kernel.build.source import Source


@pytest.mark.parametrize(
    "path",
    [
        "Makefile",
        "GNUmakefile",
        "kernel/Makefile",
        "Kbuild",
        "arch/x86/Kconfig",
        "arch/x86/Kconfig.debug",
        "arch/x86/Makefile_32.cpu",
        "scripts/x.c",
        "scripts/Makefile.build",
        "tools/x.h",
        "arch/x86/tools/relocs.c",
        "arch/x86/entry/syscalls/syscallhdr.sh",
        "lib/build_OID_registry",
    ],
)
def test_what_make_executes(path: str) -> None:
    """Makefiles, configuration, scripts and everything below scripts/ and tools/ are executed."""
    assert executed_by_make(Source(Path("/none"), {path: b"x\n"})) == [path]


@pytest.mark.parametrize(
    "path", ["kernel/exit.c", "include/linux/a.h", "arch/x86/entry/entry_64.S"]
)
def test_what_is_only_compiled(path: str) -> None:
    """C and assembly code of the kernel itself is compiled, and not executed by the build."""
    assert executed_by_make(Source(Path("/none"), {path: b"x\n"})) == []


def test_programs_that_are_compiled_for_the_build(tmp_path: Path) -> None:
    """C code of a program that a Makefile beside it builds for itself is executed."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/Makefile").write_text("obj-y += a.o\nhostprogs := gen_one \\\n\tgen_two\n")
    changed: dict[str, bytes | None] = {"lib/gen_two.c": b"", "lib/a.c": b""}
    assert executed_by_make(Source(tmp_path, changed)) == ["lib/gen_two.c"]


def test_scripts_are_known_by_their_first_line_or_mode(tmp_path: Path) -> None:
    """A file with `#!` is a script whatever its name, and so is one that is made executable."""
    changed: dict[str, bytes | None] = {"kernel/a.c": b"#!/bin/sh\n", "kernel/b.c": b""}
    assert executed_by_make(Source(tmp_path, changed, modes={"kernel/b.c": True})) == [
        "kernel/a.c",
        "kernel/b.c",
    ]


def test_a_removed_file_is_not_executed() -> None:
    """A Makefile that a patch deletes is not named."""
    assert executed_by_make(Source(Path("/none"), {"lib/Makefile": None})) == []
