"""Tests of iopermit.sweep.pool: every job once, also by two sweeps at a time, and Ctrl-C."""

import threading
from pathlib import Path

import pytest
from tests.support.sweep.made_jobs import NotedExecutor, design_job, result

from iopermit.engine.interruption import Interruption
from iopermit.sweep.database import Database, JobResult
from iopermit.sweep.jobs import Job
from iopermit.sweep.pool import JobPool

JOBS = [design_job(f"design-{number}") for number in range(6)]


def pool(
    database: Database, executor: NotedExecutor, interruption: Interruption | None = None
) -> JobPool:
    """Return a pool of two workers that tells nobody."""
    told = interruption or Interruption()
    return JobPool(database, executor, 2, told, lambda *_: None)


def test_a_job_that_has_a_result_is_not_run_again(tmp_path: Path) -> None:
    """A second sweep on the same database runs only what the first one did not."""
    executor = NotedExecutor(lambda _: result())
    with Database(tmp_path / "results.sqlite") as database:
        pool(database, executor).run(JOBS[:4])
        pool(database, executor).run(JOBS)
        assert len(database.results([job.key for job in JOBS])) == 6
    assert sorted(job.key for job in executor.asked) == sorted(job.key for job in JOBS)


def test_jobs_with_one_key_are_one(tmp_path: Path) -> None:
    """What differs in its name only is checked once."""
    executor = NotedExecutor(lambda _: result())
    with Database(tmp_path / "results.sqlite") as database:
        pool(database, executor).run([JOBS[0], design_job("design-0", events="another name")])
    assert len(executor.asked) == 1


def test_a_job_that_another_sweep_runs_is_waited_for(tmp_path: Path) -> None:
    """A claimed job is not run; when its result is there, the sweep has it."""
    executor = NotedExecutor(lambda _: result())

    class Claimed(Database):
        """A database in which another process has claimed the first job."""

        def claim(self, key: str) -> bool:
            if key == JOBS[0].key and not self.results([key]):
                self.add(key, result("violated"))
                return False
            return super().claim(key)

    with Claimed(tmp_path / "results.sqlite") as database:
        pool(database, executor).run(JOBS[:2])
        assert database.results([JOBS[0].key])[JOBS[0].key].outcome == "violated"
    assert [job.key for job in executor.asked] == [JOBS[1].key]


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """After Ctrl-C no job begins, those that run are stopped, and results of others stay."""
    interruption = Interruption()
    others = threading.Event()

    def answer(job: Job) -> JobResult | None:
        if job is JOBS[0]:
            return result()
        interruption.requested = True
        others.wait(0.5)
        return None

    executor = NotedExecutor(answer)
    with Database(tmp_path / "results.sqlite") as database:
        pool(database, executor, interruption).run(JOBS)
        assert list(database.results([job.key for job in JOBS])) == [JOBS[0].key]
    assert executor.stopped
    assert len(executor.asked) < len(JOBS)


def test_a_fault_of_a_job_s_thread_is_not_lost(tmp_path: Path) -> None:
    """What goes wrong inside iopermit ends the sweep, and the other jobs are stopped."""

    def answer(_: Job) -> JobResult:
        raise ZeroDivisionError

    executor = NotedExecutor(answer)
    with Database(tmp_path / "results.sqlite") as database, pytest.raises(ZeroDivisionError):
        pool(database, executor).run(JOBS[:1])
