"""Finding the compiler and the other programs of a kernel build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.toolchain import find_toolchain
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("gcc", "ld", "make", "flex", "bison", "bc")


def program(directory: Path, name: str, target: str = "x86_64-linux-gnu") -> None:
    """Write a program that answers as a compiler does."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(
        f"#!/bin/sh\n[ $1 = -dumpmachine ] && echo {target} || printf '{name} 12.3\nmore\n'\n"
    )
    (directory / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a PATH with nothing but the needed programs."""
    for name in PROGRAMS:
        program(tmp_path / "bin", name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CROSS_COMPILE", raising=False)
    return tmp_path / "bin"


def test_the_compiler_is_gcc_by_default(programs: Path) -> None:
    """Without CC it is gcc, identified by its version and target."""
    assert programs.is_dir()
    toolchain = find_toolchain()
    assert toolchain.compiler == "gcc 12.3 (x86_64-linux-gnu)"
    assert toolchain.make_arguments == ("CC=gcc", "HOSTCC=gcc")


def test_cc_and_cross_compile(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CC names another compiler, CROSS_COMPILE the prefix of compiler and linker."""
    program(programs, "clang-19")
    monkeypatch.setenv("CC", "clang-19")
    assert find_toolchain().make_arguments == ("CC=clang-19", "HOSTCC=clang-19")
    monkeypatch.delenv("CC")
    monkeypatch.setenv("CROSS_COMPILE", "x86_64-linux-gnu-")
    for name in ("gcc", "ld"):
        program(programs, f"x86_64-linux-gnu-{name}")
    assert find_toolchain().make_arguments == ("CC=x86_64-linux-gnu-gcc",)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_missing_program_is_named(programs: Path, name: str) -> None:
    """Each missing program is named, with the package that has it."""
    (programs / name).unlink()
    package = {"ld": "binutils"}.get(name, name)
    with pytest.raises(KernelTreeError) as error:
        find_toolchain()
    assert f"needs {name}, not found on the PATH" in str(error.value)
    assert str(error.value).endswith(f"apt-get install {package}")


def test_all_missing_programs_are_named_at_once(programs: Path) -> None:
    """Several missing programs are one message."""
    for name in ("flex", "bison"):
        (programs / name).unlink()
    with pytest.raises(KernelTreeError, match=r"needs flex, bison, .*apt-get install flex bison"):
        find_toolchain()


def test_a_compiler_for_another_machine(programs: Path) -> None:
    """A compiler that does not compile for x86-64 is refused, with CROSS_COMPILE as the remedy."""
    program(programs, "gcc", "aarch64-linux-gnu")
    with pytest.raises(KernelTreeError, match=r"compiles for aarch64.*set CROSS_COMPILE"):
        find_toolchain()


def test_a_compiler_that_does_not_work(programs: Path) -> None:
    """A compiler that fails is refused."""
    (programs / "gcc").write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(KernelTreeError, match="the compiler does not work: gcc --version"):
        find_toolchain()
