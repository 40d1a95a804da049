"""The guest's program compiles, and its file system has the commands."""

from __future__ import annotations

import io
import re
import subprocess
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile
from tests.support.requirements import require_tool

from iopermit.reproduce import guest
from iopermit.reproduce.errors import ReproduceError
from iopermit.reproduce.guest.commands import (
    ATTEMPTS,
    HARMLESS_PORTS,
    MOST_COMMANDS,
    MOST_TASKS,
    GuestCommand,
    GuestProgram,
    GuestTask,
    LeftAlone,
)
from iopermit.reproduce.guest.program import compile_guest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = GuestProgram(
    (GuestTask("A"), GuestTask("B", 1, 2, privileged=False)),
    (GuestCommand("ioperm", "A", None, arguments=(0, 65536, 1)), GuestCommand("in", "B", 0, True)),
    ("one", "other"),
)


def test_the_program_is_static_and_tells_where_it_reads_ports() -> None:
    """The first process needs no library, and the label is the instruction IN (0xec: from DX)."""
    require_tool("gcc")
    made = compile_guest()
    program = ELFFile(io.BytesIO(made.content))
    segments = list(program.iter_segments())
    assert "PT_INTERP" not in [segment["p_type"] for segment in segments]
    (code,) = (s for s in segments if s["p_vaddr"] <= made.in_byte < s["p_vaddr"] + s["p_filesz"])
    assert code.data()[made.in_byte - code["p_vaddr"]] == 0xEC
    assert PROGRAM.text.encode() in made.file_system(PROGRAM)


def test_the_program_compiles_without_a_warning() -> None:
    """The compiler has nothing to say about the guest's program."""
    gcc = require_tool("gcc")
    source = resources.files(guest).joinpath("init.c").read_bytes()
    command = [str(gcc), "-O1", "-Wall", "-Wextra", "-Werror", "-c", "-o", "/dev/null"]
    done = subprocess.run(
        [*command, "-x", "c", "-"], input=source, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_commands_are_lines() -> None:
    """Tasks and commands come out as what `read_commands()` in init.c reads."""
    assert PROGRAM.text.splitlines() == [
        "symbol one",
        "symbol other",
        f"attempts {ATTEMPTS}",
        "task A 0 1 0",
        "task B 1 2 1000",
        "ioperm A -1 0 0 65536 1",
        "in B 0 1",
    ]


def test_a_guest_that_is_left_alone_is_told_so() -> None:
    """How often, which ports are wrong, and whether they are to be refused, are one line."""
    alone = replace(PROGRAM, alone=LeftAlone(1000, 0b101, leak=True))
    assert "free 1000 5 1" in alone.text.splitlines()
    assert "free" not in PROGRAM.text


def test_the_program_reads_the_ports_that_are_judged() -> None:
    """The ports in init.c are those of `HARMLESS_PORTS`, in the same order."""
    source = resources.files(guest).joinpath("init.c").read_text("utf-8")
    listed = ", ".join(f"{{ {port:#x}, {width} }}" for port, width in HARMLESS_PORTS)
    assert listed in source


def test_the_program_has_room_for_a_schedule() -> None:
    """How many tasks, commands and attempts there can be is the same in init.c and here."""
    source = resources.files(guest).joinpath("init.c").read_text("utf-8")
    sizes = dict(re.findall(r"(TASKS|COMMANDS|ATTEMPTS) = (\d+)", source))
    assert int(sizes["TASKS"]) == MOST_TASKS
    assert int(sizes["COMMANDS"]) == MOST_COMMANDS
    assert int(sizes["ATTEMPTS"]) >= ATTEMPTS


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gcc the message says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReproduceError, match="apt-get install gcc"):
        compile_guest()


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gcc said last is in the message, with the packages that it may lack."""
    gcc = tmp_path / "gcc"
    gcc.write_text("#!/bin/sh\necho 'cannot find -lc' >&2\nexit 1\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ReproduceError, match=r"cannot find -lc.*libc6-dev"):
        compile_guest()
