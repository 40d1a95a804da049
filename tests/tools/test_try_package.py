"""Tests of tools.try_package: what it counts, which Pythons it takes, what it finds wrong."""

import sys
from pathlib import Path

import pytest
from tools.try_package import CORE, Try, checked, interpreters, megabytes

from iopermit.cli.process.extras import EXTRAS


def test_the_space_on_disk_is_counted(tmp_path: Path) -> None:
    """Files count with their blocks, also in directories below; two names of a file count once."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * (3 << 20))
    (tmp_path / "again").hardlink_to(tmp_path / "below" / "file")
    assert 3 <= megabytes(tmp_path) < 3.1


def test_only_pythons_that_start_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name on the PATH that does not start a Python is passed over; without any, it is ours."""
    (tmp_path / "python3.12").symlink_to(sys.executable)
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.13").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreters() == [str(tmp_path / "python3.12")]
    monkeypatch.setenv("PATH", "/nowhere")
    assert interpreters() == [sys.executable]


def test_a_wrong_status_or_text_is_a_problem(tmp_path: Path) -> None:
    """What a command prints and its status are compared with what they must be."""
    command = tmp_path / "venv" / "bin" / "iopermit"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho $HOME $1; exit 1\n")
    command.chmod(0o755)
    assert checked(tmp_path, (Try(("list",), 1, "/sys list"),)) == []
    assert len(checked(tmp_path, (Try(("list",), 0, "list"), Try(("list",), 1, "other")))) == 2


def test_every_extra_is_missed() -> None:
    """Of each extra a verb is tried that needs it, without it."""
    missed = {each.text for each in CORE if each.status == 2}
    assert missed == {f"iopermit[{extra}]" for extra in EXTRAS}
