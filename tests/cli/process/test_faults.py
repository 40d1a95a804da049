"""Tests of iopermit.cli.process.faults: what is known of an internal error is saved, and where."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from tests.support.cli.command import CRASHING, SMALL, run

from iopermit.cli.process import faults
from iopermit.engine.trace import Replay
from iopermit.search.counterexample import confirmation

if TYPE_CHECKING:
    from collections.abc import Callable

INTERNAL = 4
LEAKING = ("linux-v2-06", "--cpus", "1", "--tasks", "2", "--longs", "2")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory of its own, with another for temporary files."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("IOPERMIT_TRACEBACK", raising=False)
    return tmp_path / "work"


def fail(*_: object, **__: object) -> NoReturn:
    """Fail as a fault of iopermit does."""
    raise ZeroDivisionError("a fault, planted")


def saved_in(directory: Path) -> str:
    """Return the text of the only report in a directory."""
    (file,) = directory.glob("iopermit-fault-*.txt")
    return file.read_text()


VERBS: dict[str, tuple[tuple[str, ...], str]] = {
    "list": (("list",), "iopermit.cli.list_designs._text"),
    "check": (("check", CRASHING, *SMALL), "iopermit.search.check.searched"),
    "check --kernel": (("check", "--kernel", "."), "iopermit.kernel.loading.build"),
    "replay": (("replay", "saved.json"), "iopermit.search.replay.enabled"),
    "certify": (("certify", "saved.json"), "iopermit.certify.checker.read_header"),
    "compare": (("compare", CRASHING, *SMALL), "iopermit.search.check.searched"),
    "cost": (("cost", CRASHING), "iopermit.system.running.cost.costs_of"),
    "export": (("export", "promela", CRASHING), "iopermit.translate.promela.export.export"),
    "run": (("run", "/bin/true"), "iopermit.machine.run.emulate"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_saves_its_faults(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    verb: str,
) -> None:
    """A fault in any verb gives status 4, a message that names a file, and no traceback."""
    arguments, place = VERBS[verb]
    if "saved.json" in arguments:
        assert run(capsys, "check", CRASHING, *SMALL, "-q", "--save", "saved.json").status == 1
    monkeypatch.setattr(place, fail)
    ran = run(capsys, *arguments)
    assert (ran.status, ran.out) == (INTERNAL, "")
    assert "iopermit: internal error: ZeroDivisionError: a fault, planted" in ran.err
    assert "Traceback" not in ran.err
    (file,) = directory.glob("iopermit-fault-*.txt")
    assert file.name in ran.err
    assert "SECURITY.md" in ran.err
    text = file.read_text()
    assert f"command: iopermit {' '.join(arguments)}\n" in text
    assert re.search(r"version: iopermit \d", text)
    assert 'raise ZeroDivisionError("a fault, planted")' in text


def test_design_and_scenario_go_along(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """The report has the design's id, its source and the scenario."""
    monkeypatch.setattr("iopermit.search.check.searched", fail)
    run(capsys, "check", "linux-5.4", *SMALL)
    text = "".join(file.read_text() for file in directory.glob("iopermit-fault-*.txt"))
    assert "design: linux-5.4\n" in text
    assert '"cpus": 1, "tasks": 1, "longs": 1, "events": ["allocation-fails", ' in text
    assert "class Linux54(" in text


def test_disagreement_saves_the_schedule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """If full size does not show what the search found, the report has the schedule."""
    monkeypatch.setattr(confirmation, "record", lambda *_, **__: Replay((), None))
    ran = run(capsys, "check", *LEAKING, "--events", "plain")
    assert ran.status == INTERNAL
    assert "the replay at full size disagrees with the search" in ran.err
    text = saved_in(directory)
    assert "kind: leak\n" in text
    step = r'^  \{"cpu": 0, "event": "[a-z-]+", "arguments": \{.*\}, "label": \d+\}'
    steps = re.findall(step, text, re.MULTILINE)
    assert len(steps) > 5


def test_disagreement_in_a_cell_of_a_comparison(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """The matrix is shown, and the cell's schedule is saved, with status 4."""
    monkeypatch.setattr(confirmation, "record", lambda *_, **__: Replay((), None))
    ran = run(capsys, "compare", *LEAKING, "-q", "--events", "plain")
    assert ran.status == INTERNAL
    assert ran.out.startswith(LEAKING[0])
    assert "undetermined" in ran.out
    assert "schedule: [" in saved_in(directory)


def report(_: Path) -> Path | None:
    """Save a fault."""
    return faults.save_fault(ZeroDivisionError("planted"), ["check", "a b"])


def test_report_is_never_overwritten(directory: Path) -> None:
    """Faults of the same second go to files of their own, which only the user can read."""
    files = {report(directory) for _ in range(5)}
    assert len(files) == 5
    assert None not in files
    for file in filter(None, files):
        assert "command: iopermit check 'a b'\n" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


def test_link_in_the_way_is_not_followed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link of the file's name, even one that leads nowhere, is left alone."""
    first = report(directory)
    assert first is not None
    first.unlink()
    first.symlink_to("elsewhere")
    monkeypatch.setattr(faults, "dt", Stopped(first.name))
    second = report(directory)
    assert second == Path(first.name.replace(".txt", "-2.txt"))
    assert not (directory / "elsewhere").exists()


class Stopped:
    """Stands for the module `datetime`, at the time of a file's name."""

    def __init__(self, name: str) -> None:
        self.datetime = self
        self._time = name.removeprefix("iopermit-fault-").removesuffix(".txt")

    def now(self) -> Stopped:
        """Return the time."""
        return self

    def astimezone(self) -> Stopped:
        """Return the time."""
        return self

    def __format__(self, _: str) -> str:
        """Return the time as a name has it."""
        return self._time


def not_there(_: pytest.MonkeyPatch, directory: Path) -> None:
    """Remove the working directory."""
    directory.rmdir()


def forbidden(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    """Let no file be made in the working directory (root may make them everywhere)."""
    genuine = os.open

    def guarded(file: Path, flags: int, mode: int = 0o777) -> int:
        if not Path(file).is_absolute() and flags & os.O_CREAT:
            raise PermissionError
        return genuine(file, flags, mode)

    monkeypatch.setattr(os, "open", guarded)


@pytest.mark.parametrize("hindrance", [not_there, forbidden])
def test_temporary_directory_is_the_second_choice(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    hindrance: Callable[[pytest.MonkeyPatch, Path], None],
) -> None:
    """Where the working directory takes no file, the one for temporary files does."""
    hindrance(monkeypatch, directory)
    file = report(directory)
    assert file is not None
    assert file.parent == directory.parent / "temporary"
    assert "planted" in file.read_text()


FULL = """
import resource, sys
from iopermit.cli import list_designs, main
list_designs._text = lambda _: 1 / 0
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.exit(main())
"""


@pytest.mark.parametrize("redirection", ["", "2>&-", "2>/dev/full"])
def test_full_disk_changes_no_status(directory: Path, redirection: str) -> None:
    """With no room for a report and no stream for a message the status is still 4."""
    shell = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", FULL, "list"]
    environment = os.environ | {"TMPDIR": str(directory.parent / "temporary")}
    ran = subprocess.run(shell, capture_output=True, text=True, check=False, env=environment)
    assert (ran.returncode, ran.stdout) == (INTERNAL, "")
    assert not list(directory.parent.rglob("*.txt"))
    if not redirection:
        assert "could be saved neither here nor" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_fault_in_describing_a_fault(directory: Path) -> None:
    """An exception that cannot be printed gives no report and no further exception."""

    class Unspeakable(Exception):  # noqa: N818 - it says what it is
        def __str__(self) -> str:
            raise ValueError

    assert faults.save_fault(Unspeakable(), []) is None
    assert list(directory.iterdir()) == []
