"""Tests of `iopermit sweep`: statuses, what is written, what is kept, and what goes wrong."""

import json
import signal
import time
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, HOLDING, run, start
from tests.support.report.strict import problems

SMALLEST = "[[scenario]]\ncpus = 1\ntasks = 1\nlongs = 1\n"
HOLDS = f'designs = ["{HOLDING}"]\nevents = ["plain"]\n{SMALLEST}'
BOTH = f'title = "Two"\ndesigns = ["{HOLDING}", "{CRASHING}"]\nevents = ["plain"]\n{SMALLEST}'


def described(folder: Path, text: str) -> Path:
    """Write a description."""
    file = folder / "sweep.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "status", "part"),
    [
        (HOLDS, 0, "1 job: holds 1"),
        (BOTH, 1, "2 jobs: holds 1, violated 1"),
        (f"{HOLDS}[limits]\nmax-states = 5\n", 3, "1 job: undetermined 1"),
    ],
)
def test_the_status_says_how_the_jobs_ended(
    text: str, status: int, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 if every job holds, 1 if one is violated, 3 if none is, but one has no verdict."""
    ran = run(capsys, "sweep", described(tmp_path, text))
    assert ran.status == status
    assert ran.out.splitlines()[-1] == part
    assert ran.err.startswith(f"iopermit: {HOLDING}, plain: ") or status == 1
    assert (tmp_path / "sweep.sqlite").exists()


def test_a_second_sweep_runs_nothing_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the same database another sweep runs only what is new, and is quiet about the rest."""
    first = run(capsys, "sweep", described(tmp_path, HOLDS))
    again = run(capsys, "sweep", described(tmp_path, HOLDS))
    assert (again.status, again.err) == (0, "")
    assert first.out.splitlines()[:-1] == again.out.splitlines()[:-1]
    assert again.out.splitlines()[-1] == "1 job: holds 1; 1 known from before"
    more = run(capsys, "sweep", described(tmp_path, BOTH))
    assert more.err.count("\n") == 1
    assert "1 known from before" in more.out


def test_every_output_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON keeps to its schema; the page and the drawing have the title and every cell."""
    page, drawing = tmp_path / "page.html", tmp_path / "drawing.svg"
    file, database = described(tmp_path, BOTH), tmp_path / "own.sqlite"
    written = ("--database", database, "--html", page, "--plot", drawing)
    ran = run(capsys, "sweep", file, "--json", "-q", *written)
    printed = json.loads(ran.out)
    assert (ran.status, ran.err) == (1, "")
    assert problems(printed, "sweep") == []
    assert [job["outcome"] for job in printed["jobs"]] == ["holds", "violated"]
    for text in (page.read_text(), drawing.read_text()):
        assert all(part in text for part in ("Two", HOLDING, CRASHING, "CRASH"))
    assert database.exists()


def test_nothing_is_run_if_only_the_database_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--no-run shows what there is, and what was not run; that is no verdict."""
    ran = run(capsys, "sweep", described(tmp_path, BOTH), "--no-run")
    assert ran.status == 3
    assert ran.out.count("not run") == 3


def test_what_has_no_verdict_is_run_again_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--retry runs undetermined jobs again; without it they stay as they are."""
    file = described(tmp_path, f"{HOLDS}[limits]\nmax-states = 5\n")
    run(capsys, "sweep", file)
    assert run(capsys, "sweep", file).err == ""
    assert "undetermined" in run(capsys, "sweep", file, "--retry").err


def test_nothing_is_retried_without_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--retry and --no-run contradict each other; status 2."""
    ran = run(capsys, "sweep", described(tmp_path, HOLDS), "--retry", "--no-run")
    assert (ran.status, ran.out) == (2, "")
    assert "exclude one another" in ran.err


def test_two_sweeps_at_once_run_every_job_once(tmp_path: Path) -> None:
    """Two processes on one database share the jobs: each is run by one, and both show all."""
    text = HOLDS.replace('["plain"]', '["plain", "ioperm", "ioperm,exit", "all"]')
    file = described(tmp_path, text)
    both = [start("sweep", file, "--jobs", 1) for _ in range(2)]
    ended = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(err.count(f"iopermit: {HOLDING}") for _, err in ended) == 4
    assert all(out.splitlines()[-1].startswith("4 jobs: holds 4") for out, _ in ended)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("design = []", "sweep.toml:1: unknown key 'design'; did you mean designs?"),
        ('designs = ["gone"]', "gone"),
        (f'designs = ["{HOLDING}"]\nevents = ["gone"]', "sweep.toml:2: events = 'gone'"),
        (f'designs = ["{HOLDING}"]\n[[scenario]]\ncpus = 99', "the scenario needs 1 to 4 CPUs"),
        (f'designs = ["{HOLDING}"]\n[limits]\nmax-memory = "x"', "sweep.toml:2: max-memory: 'x'"),
        ('[[tree]]\npath = "gone"', "no such directory"),
        ('[[revisions]]\nrepository = "gone"\nrev = "v1"', "there is no directory"),
    ],
)
def test_bad_input_is_told_in_one_message(
    text: str, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the description ends with status 2 before any job, and makes no database."""
    ran = run(capsys, "sweep", described(tmp_path, text))
    assert (ran.status, ran.out) == (2, "")
    assert part in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "sweep.sqlite").exists()


def test_a_database_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is something else is not overwritten; status 2."""
    file = described(tmp_path, HOLDS)
    ran = run(capsys, "sweep", file, "--database", file)
    assert ran.status == 2
    assert "name another file with --database" in ran.err
    assert file.read_text() == HOLDS


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """After Ctrl-C the table is printed with what is known; the next sweep does the rest only."""
    text = BOTH.replace(SMALLEST, "") + "[[scenario]]\ncpus = 1\ntasks = 1\n[[scenario]]\n"
    file = described(tmp_path, text + "cpus = 2\ntasks = 3\nlongs = 2\n")
    process = start("sweep", file, "--jobs", 1)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(f"iopermit: {HOLDING}")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 3)
    assert "not run" in out
    assert " known from before" not in out
    shown = start("sweep", file, "--no-run")
    assert " known from before" in shown.communicate(timeout=60)[0]
