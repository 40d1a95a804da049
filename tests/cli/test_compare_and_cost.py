"""The verbs compare and cost, run as a user does."""

import json
from pathlib import Path

import pytest

from iopermit.cli import ExitCode, main

FAST = ["--events", "plain-without-preempt", "--cpus", "1", "--tasks", "1", "--longs", "1"]


def test_compare_exits_1_for_a_violation(capsys: pytest.CaptureFixture[str]) -> None:
    """linux-060aa16f crashes with a single task, which the line of the event set says."""
    status = main(["compare", "linux-060aa16f", *FAST, "--quiet"])
    assert status == ExitCode.VIOLATED
    assert "plain-without-preempt  CRASH (1 CPU, 1 task, 1 long)" in capsys.readouterr().out


def test_compare_exits_3_at_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    """A search that was cut off is undetermined, in the exit status and in JSON."""
    status = main(["compare", "linux-2.6.8", *FAST, "--max-states", "2", "--quiet", "--json"])
    assert status == ExitCode.UNDETERMINED
    saved = json.loads(capsys.readouterr().out)
    assert saved["schema"] == "iopermit/compare/1"
    assert saved["rows"][0]["cells"]["plain-without-preempt"]["verdict"] == "undetermined"


def test_compare_exits_0_when_all_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """linux-2.6.8 holds in the fixed scenario."""
    assert main(["compare", "linux-2.6.8", *FAST, "--quiet"]) == ExitCode.HOLDS
    assert "holds (1 CPU, 1 task, 1 long, " in capsys.readouterr().out


def test_compare_names_the_event_sets(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown event set is bad input; the message has the known ones."""
    assert main(["compare", "linux-2.6.8", "--events", "some"]) == ExitCode.BAD_INPUT
    message = capsys.readouterr().err
    assert "there is no event set 'some'" in message
    assert "all-without-preempt" in message


def test_cost_prints_tables_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text has the design's table, and the file is a drawing."""
    file = tmp_path / "cost.svg"
    assert main(["cost", "linux-5.5", "--plot", str(file)]) == ExitCode.HOLDS
    assert capsys.readouterr().out.startswith("linux-5.5\npath ")
    assert "<svg" in file.read_text(encoding="utf-8")


def test_cost_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Every named design is there, in order."""
    assert main(["cost", "linux-5.5", "linux-5.4", "--json"]) == ExitCode.HOLDS
    saved = json.loads(capsys.readouterr().out)
    assert [entry["subject"] for entry in saved["designs"]] == ["linux-5.5", "linux-5.4"]


def test_cost_refuses_a_drawing_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed when the file cannot be written."""
    file = tmp_path / "missing" / "cost.svg"
    assert main(["cost", "linux-5.5", "--plot", str(file)]) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "there is no directory" in captured.err
