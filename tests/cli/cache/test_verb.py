"""Tests of `iopermit cache`."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
from tests.support.cli.command import HOLDING, SMALL, run

from iopermit.cache import errors


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory of a cache that does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("IOPERMIT_CACHE_KEY", raising=False)
    monkeypatch.setattr(errors, "_said", set())
    return tmp_path / "cache/iopermit"


def fill(folder: Path) -> None:
    """Put in two objects, a build and a workspace, and a verdict."""
    (folder / "kernel").mkdir(parents=True)
    (folder / "verdicts").mkdir()
    (folder / "verdicts/one").write_bytes(bytes(1000))
    for name in ("kernel/one", "kernel/base-one"):
        (folder / name).mkdir()
        (folder / name / "a.o").write_bytes(bytes(500_000))
    for name in ("a.o", "b.o"):
        (folder / name).write_bytes(bytes(250_000))
    (folder / "kernel/one.lock").touch()


def test_nothing_is_made_to_show_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a cache nothing is shown, and neither directories nor a key are made."""
    ran = run(capsys, "cache")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        str(folder),
        "  machine code   0 entries, 0.0 of at most 200 MB",
        "  kernel builds  0 entries, 0.0 of at most 300 MB",
        "  tree verdicts  0 entries, 0.0 of at most 10 MB",
        "  key            none yet",
    ]
    assert list(folder.parent.parent.iterdir()) == []


def test_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind is shown with its number of entries, its size and its limit, and the key."""
    fill(folder)
    assert run(capsys, "cache", "show").out.splitlines()[1:4] == [
        "  machine code   2 entries, 0.5 of at most 200 MB",
        "  kernel builds  2 entries, 1.0 of at most 300 MB",
        "  tree verdicts  1 entry, 0.0 of at most 10 MB",
    ]
    shown = json.loads(run(capsys, "cache", "--json").out)
    assert shown["schema"] == "iopermit/cache/1"
    assert shown["path"] == str(folder)
    assert shown["key"] is None
    assert [
        (each["kind"], each["entries"], each["bytes"], each["limit"], each["problem"])
        for each in shown["contents"]
    ] == [
        ("machine code", 2, 500_000, 200_000_000, None),
        ("kernel builds", 2, 1_000_000, 300_000_000, None),
        ("tree verdicts", 1, 1_000, 10_000_000, None),
    ]


def test_where_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`path` prints the directory alone."""
    assert run(capsys, "cache", "path").out == f"{folder}\n"
    assert json.loads(run(capsys, "cache", "path", "--json").out)["path"] == str(folder)


def test_what_a_check_keeps(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check keeps its machine code, sealed with the key that is shown without its secret."""
    run(capsys, "check", HOLDING, *SMALL, "--quiet")
    shown = json.loads(run(capsys, "cache", "--json").out)
    file = Path(shown["key"]["source"])
    assert file.is_relative_to(folder.parent.parent / "state")
    assert file.read_text().strip() not in str(shown)
    assert shown["contents"][0]["entries"] == len(list(folder.glob("*.o"))) > 0
    assert f"key {shown['key']['id']}\n".encode() in next(folder.glob("*.o")).read_bytes()
    monkeypatch.setenv("IOPERMIT_CACHE_KEY", "short")
    assert "key            not used: IOPERMIT_CACHE_KEY has 5" in run(capsys, "cache").out


def test_clearing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`clear` removes everything but what another process works in."""
    fill(folder)
    descriptor = os.open(folder / "kernel/one", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    ran = run(capsys, "cache", "clear")
    os.close(descriptor)
    assert ran.out == "removed 4 entries, 1.0 MB; 1 in use by other processes\n"
    assert sorted(path.name for path in folder.rglob("*.o")) == ["a.o"]
    cleared = json.loads(run(capsys, "cache", "clear", "--json").out)
    assert (cleared["removed"], cleared["bytes"], cleared["in_use"]) == (1, 500_000, 0)
    assert run(capsys, "cache", "clear").out == "removed 0 entries, 0.0 MB\n"


def test_a_cache_that_others_write_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`show` says why it is not used; `clear` removes nothing there and ends with status 2."""
    fill(folder)
    folder.chmod(0o777)
    shown = run(capsys, "cache")
    assert shown.status == 0
    assert f"machine code   not used: {folder} can be written by others; chmod go-w" in shown.out
    ran = run(capsys, "cache", "clear")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"iopermit: error: the cache is not used: {folder} can be written")
    assert (folder / "a.o").exists()


def test_a_file_in_the_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in place of the cache is one message with its name, and status 2."""
    folder.parent.mkdir()
    folder.touch()
    for action in ("show", "clear"):
        ran = run(capsys, "cache", action)
        assert (ran.status, ran.out) == (2, "")
        message = f"cannot {action} the cache: {folder}: Not a directory"
        assert ran.err == f"iopermit: error: {message} [system-refused]\n"
