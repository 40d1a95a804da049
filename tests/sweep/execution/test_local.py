"""Tests of iopermit.sweep.execution.local: a job is a process, and however it ends it is a row."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, HOLDING
from tests.support.sweep.made_jobs import SCENARIO, design_job, row, tree_job

from iopermit.sweep.database import JobResult
from iopermit.sweep.definition import JobLimits
from iopermit.sweep.execution import executor as of_executors
from iopermit.sweep.execution.local import LocalExecutor
from iopermit.sweep.jobs import Job
from iopermit.system.scenario import Scenario


def executed(job: Job) -> JobResult:
    """Return how a job ends."""
    result = LocalExecutor({}).execute(job)
    assert result is not None
    return result


def test_a_design_that_holds() -> None:
    """The result has the verdict, the states, and what `check --json` says."""
    smallest = Scenario(1, 1, 1, SCENARIO.events)
    result = executed(replace(design_job(HOLDING), scenario=smallest))
    assert (result.outcome, result.kind, result.message) == ("holds", "", "")
    assert result.verdict is not None
    assert result.verdict["schema"] == "iopermit/verdict/1"
    assert result.states == result.verdict["search"]["states"] > 0


def test_a_design_that_is_violated() -> None:
    """The result has the kind of the violation, and its sentence."""
    result = executed(design_job(CRASHING))
    assert (result.outcome, result.kind) == ("violated", "crash")
    assert "null pointer" in result.message


def test_a_limit_makes_it_undetermined() -> None:
    """A job that reaches the limit of states has no verdict, and says why."""
    result = executed(replace(design_job(HOLDING), limits=JobLimits(max_states=5)))
    assert (result.outcome, result.kind) == ("undetermined", "")
    assert "5" in result.message


def test_a_job_with_bad_input_is_a_row(tmp_path: Path) -> None:
    """What `check` refuses is a failed job with its message."""
    result = executed(tree_job("none", tmp_path / "gone"))
    assert result.outcome == "failed"
    assert result.message.startswith(f"no such directory: {tmp_path / 'gone'}")


def programmed(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Let jobs run a program instead of iopermit."""
    program = folder / "program"
    program.write_text(f"#!{sys.executable}\n{text}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_process_that_is_killed_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that the system ends, as for want of memory, is a failed one that names the signal."""
    programmed(monkeypatch, tmp_path, "import os; os.kill(os.getpid(), 9)")
    result = executed(design_job())
    assert result.outcome == "failed"
    assert result.message == "ended by the signal SIGKILL; perhaps the system had no more memory"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print('no verdict')", "it ended with status 0 and said nothing"),
        ("import sys; sys.exit(4)", "it ended with status 4 and said nothing"),
        ("import sys; sys.exit('iopermit: error: it broke')", "it broke"),
    ],
)
def test_a_process_without_a_verdict_is_a_row(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that prints no verdict is a failed one, with what it said."""
    programmed(monkeypatch, tmp_path, text)
    result = executed(design_job())
    assert (result.outcome, result.message) == ("failed", message)


def test_a_process_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that goes on long behind its limit is ended, with all that it started."""
    programmed(monkeypatch, tmp_path, "import time; time.sleep(100)")
    monkeypatch.setattr(of_executors, "_BESIDES_SEARCH", 0.1)
    result = executed(replace(design_job(), limits=JobLimits(timeout=0.1)))
    assert (result.outcome, result.message) == ("failed", "it did not end within 0.2 seconds")


def test_a_job_that_is_stopped_has_no_result_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping ends the process that runs; nothing is kept of it, and no other one begins."""
    note = tmp_path / "process"
    text = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    programmed(monkeypatch, tmp_path, text)
    executor = LocalExecutor({})
    results: list[JobResult | None] = []
    thread = threading.Thread(target=lambda: results.append(executor.execute(design_job())))
    thread.start()
    while not (note.exists() and note.read_text()):
        time.sleep(0.01)
    executor.stop()
    thread.join()
    assert [*results, executor.execute(design_job())] == [None, None]
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), signal.SIG_DFL)


def test_a_revision_without_a_directory_is_a_fault() -> None:
    """A row of revisions that was not prepared is no failed job, but a fault of iopermit."""
    with pytest.raises(KeyError):
        executed(row(1)[0])
