"""Tests of `iopermit sweep --cluster`: the same results, each job once, and signals that end it."""

import json
import signal
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, HOLDING, run, start
from tests.support.report.strict import problems
from tests.support.sweep.printed import what_was_found
from tests.support.sweep.processes import wait_for_none, wait_for_some

SMALL = f'designs = ["{HOLDING}", "{CRASHING}"]\nevents = ["plain"]\n[[scenario]]\ntasks = 1\n'
LONG = "[[scenario]]\ncpus = 2\ntasks = 3\nlongs = 2\n"


def described(folder: Path, text: str) -> Path:
    """Write a description."""
    file = folder / "sweep.toml"
    file.write_text(text)
    return file


def test_a_sweep_on_a_cluster_has_the_results_of_one_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON is the same, the database serves both, and what has a result is not run again."""
    file, elsewhere = described(tmp_path, SMALL), tmp_path / "local.sqlite"
    on_cluster = run(capsys, "sweep", file, "--cluster", "auto", "--json")
    here = run(capsys, "sweep", file, "--database", elsewhere, "--json")
    assert on_cluster.status == here.status == 1
    assert problems(json.loads(on_cluster.out), "sweep") == []
    assert what_was_found(json.loads(on_cluster.out)) == what_was_found(json.loads(here.out))
    assert on_cluster.err.count(f"iopermit: {HOLDING}") == 1
    again = run(capsys, "sweep", file, "--json")
    assert again.err == ""
    assert [job["kept"] for job in json.loads(again.out)["jobs"]] == [True, True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_jobs_on_the_cluster(number: signal.Signals, tmp_path: Path) -> None:
    """The table is printed with what is known, and no process of the sweep is left anywhere."""
    file = described(tmp_path, f"{SMALL.replace(CRASHING, HOLDING)}{LONG}[limits]\ntimeout = 777")
    process = start("sweep", file, "--cluster", "auto", "--jobs", 1, IOPERMIT_MARK=str(tmp_path))
    assert process.stderr is not None
    assert process.stderr.readline().startswith(f"iopermit: {HOLDING}")
    wait_for_some("--tasks\0003\0")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "not run" in out
    assert "holds 1" in out
    assert err == ""
    wait_for_none(f"IOPERMIT_MARK={tmp_path}", file="environ")


def test_a_cluster_that_runs_nothing_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--cluster and --no-run contradict each other; status 2."""
    ran = run(capsys, "sweep", described(tmp_path, SMALL), "--cluster", "auto", "--no-run")
    assert (ran.status, ran.out) == (2, "")
    assert "--cluster and --no-run exclude one another" in ran.err


def test_a_cluster_that_cannot_be_reached_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that is none ends with status 2 and one message, before any job."""
    ran = run(capsys, "sweep", described(tmp_path, SMALL), "--cluster", "no address")
    assert (ran.status, ran.out) == (2, "")
    assert "cannot connect to the cluster at no address" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "sweep.sqlite").exists()
