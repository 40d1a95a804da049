"""Tests of `iopermit export`."""

import json
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, SMALL, run


def test_promela_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The model goes to standard output as Promela."""
    ran = run(capsys, "export", "promela", "linux-v2-06", *SMALL)
    assert ran.status == 0
    assert "proctype" in ran.out
    assert ran.err == ""


def test_promela_is_written_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """-o writes the same text to a file."""
    printed = run(capsys, "export", "promela", "linux-v2-06", *SMALL).out
    file = tmp_path / "model.pml"
    assert run(capsys, "export", "promela", "linux-v2-06", *SMALL, "-o", file).out == ""
    assert file.read_text() == printed


def test_promela_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json has the model as a string, with subject and scenario."""
    ran = run(capsys, "export", "promela", "linux-v2-06", *SMALL, "--json")
    exported = json.loads(ran.out)
    assert exported["schema"] == "iopermit/promela/1"
    assert exported["subject"] == "linux-v2-06"
    assert exported["scenario"]["cpus"] == 1
    assert "proctype" in exported["promela"]


def test_unwritable_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file that cannot be written gives one message and status 2."""
    ran = run(capsys, "export", "promela", "linux-v2-06", *SMALL, "-o", tmp_path / "no" / "x")
    assert ran.status == 2
    assert ran.err.startswith(f"iopermit: error: cannot write {tmp_path}/no/x: ")


def test_a_saved_schedule_as_itf(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The schedule of a saved file is printed, or written; a file that is none is refused."""
    saved, written = tmp_path / "saved.json", tmp_path / "trace.itf.json"
    run(capsys, "check", CRASHING, *SMALL, "-q", "--save", saved)
    ran = run(capsys, "export", "itf", saved)
    trace = json.loads(ran.out)
    assert ran.status == 0
    assert trace["#meta"]["source"] == CRASHING
    assert len(trace["states"]) == len(json.loads(saved.read_text())["trace"])
    assert run(capsys, "export", "itf", saved, "-o", written).status == 0
    assert json.loads(written.read_text()) == trace
    ran = run(capsys, "export", "itf", written)
    assert (ran.status, "cannot be replayed" in ran.err) == (2, True)
