"""What is left in memory is kept where the user wants it, and nothing else is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.machine.running import iopermit_run

from iopermit.machine.isolation.export import Exporter

if TYPE_CHECKING:
    from pathlib import Path

BAD_INPUT = 2


def test_what_is_left_is_kept(tmp_path: Path) -> None:
    """Files and directories of /tmp and /dev/shm are written; links are not."""
    name = f"iopermit-test-{os.getpid()}"
    script = (
        f"cd /tmp; mkdir -p {name}/b; echo one > {name}/b/c; echo two > /dev/shm/d; "
        f"ln -s / {name}/link; chmod 755 {name}/b/c; head -c 700000 /dev/zero > {name}/large"
    )
    ran = iopermit_run("--export", tmp_path / "kept", "/bin/sh", "-c", script)
    assert (ran.errors, ran.status) == ("", 0)
    kept = tmp_path / "kept"
    found = {str(path.relative_to(kept)).replace(name, "a") for path in kept.rglob("*")}
    assert found == {"tmp", "tmp/a", "tmp/a/b", "tmp/a/b/c", "tmp/a/large", "shm", "shm/d"}
    assert (kept / "tmp" / name / "b/c").read_text() == "one\n"
    assert (kept / "tmp" / name / "b/c").stat().st_mode & 0o7777 == 0o755
    assert (kept / "tmp" / name / "large").read_bytes() == bytes(700000)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A directory that has something in it is refused before the run."""
    (tmp_path / "file").write_text("contents")
    ran = iopermit_run("--export", tmp_path, "/bin/echo", "ran")
    assert (ran.output, ran.status) == ("", BAD_INPUT)
    assert "--export" in ran.errors
    assert "not empty" in ran.errors


@pytest.mark.parametrize(
    "message",
    [
        {"path": [".."], "kind": "directory"},
        {"path": ["a/b"], "kind": "directory"},
        {"path": ["", "x"], "kind": "file"},
        {"path": ["/etc"], "kind": "file"},
        {"path": ["."], "kind": "file"},
        {"path": [], "kind": "directory"},
        {"path": ["link", "new"], "kind": "file"},
        {"path": ["link"], "kind": "more", "data": "eA=="},
        {"path": ["link"], "kind": "file"},
        {"path": ["file"], "kind": "file"},
        {"path": ["absent"], "kind": "more", "data": "eA=="},
        {"path": ["file"], "kind": "more", "data": "no base64"},
        {"path": ["x" * 300], "kind": "file"},
        {"path": ["n\0l"], "kind": "file"},
        {"kind": "file"},
        {"path": "name", "kind": 3, "mode": "x"},
    ],
)
def test_no_message_writes_elsewhere(tmp_path: Path, message: dict[str, Any]) -> None:
    """Whatever a taken-over emulator sends: nothing outside, over a file, or through a link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    exporter = Exporter(str(tmp_path / "kept"))
    (tmp_path / "kept" / "link").symlink_to(outside)
    (tmp_path / "kept" / "file").write_text("kept")
    with pytest.raises((OSError, ValueError, KeyError, TypeError)):
        exporter.take(message)
    exporter.close()
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (tmp_path / "kept" / "file").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "outside"]
