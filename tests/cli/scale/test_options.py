"""Tests of iopermit.cli.scale.options: checkpoints, states on disk, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import CRASHING, HOLDING, SMALL, run, start

from iopermit.cli import ExitCode
from iopermit.cli.errors import BadInputError
from iopermit.cli.progress import figures
from iopermit.cli.scale.options import seconds
from iopermit.scale.progress import ProgressOfFiles

if TYPE_CHECKING:
    from pathlib import Path

TWO = ("linux-6.16+preempt_off", "--cpus", "2", "--tasks", "2", "--longs", "1")


@pytest.mark.parametrize("option", ["--checkpoint", "--disk"])
@pytest.mark.parametrize("design", [HOLDING, CRASHING])
def test_the_result_is_that_of_a_search_in_memory(
    option: str, design: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With each option `check` prints the same verdict and counts, with the same status."""
    plain = run(capsys, "check", design, *SMALL, "--json")
    found = run(capsys, "check", design, *SMALL, "--json", option, tmp_path / "search")
    again = run(capsys, "check", design, *SMALL, "--json", "--resume", tmp_path / "search")
    assert plain.status == found.status == again.status
    for other in (found, again):
        for key in ("verdict", "violation", "uncovered"):
            assert json.loads(other.out).get(key) == json.loads(plain.out).get(key)


@pytest.mark.parametrize("inner", ["", "search"], ids=["itself", "in it"])
def test_a_file_is_no_directory(
    inner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the system lets nobody make a directory, status 2 and one message say so."""
    (tmp_path / "file").write_text("")
    ran = run(capsys, "check", HOLDING, *SMALL, "--disk", tmp_path / "file" / inner)
    assert (ran.status, ran.out) == (ExitCode.BAD_INPUT, "")
    assert f"cannot make files in {tmp_path / 'file' / inner}: " in ran.err
    assert "; make room there, or name another directory" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((HOLDING, *SMALL, "--every", "5s"), "--every needs --checkpoint DIR"),
        ((HOLDING, *SMALL, "--disk", "a", "--every", "soon"), "--every soon: write a time"),
        ((HOLDING, *SMALL, "--disk", "a", "--checkpoint", "b"), "choose one of a, b"),
        ((HOLDING, "--disk", "a"), "need a scenario, such as"),
        ((HOLDING, *SMALL, "--disk", "a", "--all"), "cannot be combined with --all"),
        ((HOLDING, *SMALL, "--resume", "a", "--savings"), "cannot be combined with --savings"),
        (("--kernel", "t", "--checkpoint", "a"), "cannot be combined with --kernel"),
        ((HOLDING, *SMALL, "--cluster", "auto"), "--cluster needs --checkpoint DIR"),
        ((HOLDING, *SMALL, "--resume", "nowhere"), "there is no directory nowhere"),
        (
            (HOLDING, *SMALL, "--disk", "a", "--max-memory", "1M"),
            "with --threads 1; raise --max-memory to at least",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Options that do not go together end with status 2 and one message, which says what to do."""
    monkeypatch.chdir(tmp_path)
    refused = run(capsys, "check", *arguments)
    assert refused.status == ExitCode.BAD_INPUT
    assert message in refused.err
    assert "Traceback" not in refused.err


def test_a_directory_that_cannot_be_made_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the directory is to be ends with status 2, and is named."""
    (tmp_path / "file").touch()
    refused = run(capsys, "check", HOLDING, *SMALL, "--disk", tmp_path / "file")
    assert refused.status == ExitCode.BAD_INPUT
    assert str(tmp_path / "file") in refused.err


def test_a_signal_leaves_a_checkpoint_to_go_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ended by SIGTERM, `check` has status 3 and names the option; with it, it comes to its end."""
    directory = tmp_path / "search"
    process = start("check", *TWO, "--disk", directory, "--quiet")
    while process.poll() is None and not (directory / "checkpoint.json").exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate()
    assert process.returncode == ExitCode.UNDETERMINED, err
    assert f"--resume {directory}" in " ".join(out.split())
    resumed = run(capsys, "check", *TWO, "--resume", directory, "--quiet")
    assert (resumed.status, resumed.out[:5]) == (ExitCode.HOLDS, "HOLDS")


def test_times_have_units() -> None:
    """Seconds, minutes and hours are told apart by a letter; anything else is refused."""
    assert [seconds(text) for text in ("30", "30s", "5m", "1.5h", None)] == [30, 30, 300, 5400, 0]
    for text in ("", "-1s", "1d", "one", "9999999h"):
        with pytest.raises(BadInputError):
            seconds(text)


def test_the_progress_tells_what_goes_through_files() -> None:
    """Beside the figures of every search are the amounts and rates of what is spilled and read."""
    told = ProgressOfFiles(
        2000, 7, 300, 9000, 100.0, 64 << 20, spilled=20 << 20, read=80 << 20, own_seconds=2.0
    )
    assert figures(told) == (
        "2,000 states, depth 7, frontier 300, 20 states/s, 64 MiB, "
        "spilled 20 MiB (10 MiB/s), read 80 MiB (40 MiB/s)"
    )
