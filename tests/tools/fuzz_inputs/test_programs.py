"""Tests of tools.fuzz_inputs.entries.programs: what is made are programs that make the calls."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile
from tests.support.machine.running import iopermit_run
from tools.fuzz_inputs.entries.programs import DATA, Call, program

if TYPE_CHECKING:
    from pathlib import Path

WRITE, EXIT = 1, 60
OLD_WRITE = 4


def ran(content: bytes, folder: Path) -> tuple[int, str]:
    """Return status and output of a program."""
    file = folder / "program"
    file.write_bytes(content)
    file.chmod(0o755)
    done = iopermit_run(file)
    return done.status, done.output


@pytest.mark.parametrize(("number", "old"), [(WRITE, False), (OLD_WRITE, True)])
def test_calls_are_made(tmp_path: Path, number: int, old: bool) -> None:
    """Both ways into Linux get their arguments, and the program goes on behind them."""
    calls = [Call(number, (1, DATA, 5), old=old), Call(EXIT, (7,))]
    assert ran(program(calls, b"hello"), tmp_path) == (7, "hello")


@pytest.mark.parametrize("wide", [True, False])
def test_program_without_calls_ends_well(tmp_path: Path, wide: bool) -> None:
    """A program of either width that is not damaged runs."""
    assert ran(program([], wide=wide), tmp_path) == (0, "")


def test_interpreter_is_named() -> None:
    """The headers name the interpreter as ELF has it."""
    file = ELFFile(io.BytesIO(program([], interpreter=b"/lib/ld.so\0")))
    named = [s.data() for s in file.iter_segments() if s.header.p_type == "PT_INTERP"]
    assert named == [b"/lib/ld.so\0"]
