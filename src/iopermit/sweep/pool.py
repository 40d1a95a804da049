"""Executes many jobs at once, keeps each result as soon as it is there, and none twice."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.engine.interruption import Interruption
    from iopermit.sweep.database import Database, JobResult
    from iopermit.sweep.jobs import Job

_POLL: Final = 0.2
"""Seconds between two looks for Ctrl-C, and for what another sweep has done."""

_Running = dict[Future["JobResult | None"], str]


class JobExecutor(Protocol):
    """What executes jobs: see `iopermit.sweep.execution` for this machine and for clusters."""

    def execute(self, job: Job) -> JobResult | None:
        """Return how a job ended; None if it was stopped. Called by several threads at once."""

    def stop(self) -> None:
        """End the jobs that run, and begin no other one."""


class JobPool:
    """Threads of which each executes one job after the other, in processes of their own."""

    def __init__(
        self,
        database: Database,
        executor: JobExecutor,
        workers: int,
        interruption: Interruption,
        told: Callable[[Job, JobResult], None],
    ) -> None:
        """Take where results are kept, what executes jobs, how many at once, and who is told."""
        self._database, self._executor, self._workers = database, executor, workers
        self._interruption, self._told = interruption, told

    def run(self, jobs: Iterable[Job]) -> None:
        """Execute the jobs that have no result yet; Ctrl-C ends those that run, and keeps nothing.

        A job that another sweep runs at the moment is waited for.

        Raises:
            SweepError: a result cannot be kept.
        """
        wanted = {job.key: job for job in jobs}
        kept = self._database.results(list(wanted))
        waiting = deque(key for key in wanted if key not in kept)
        running: _Running = {}
        with ThreadPoolExecutor(self._workers, "job") as threads:
            try:
                while waiting or running:
                    if self._interruption.requested:
                        self._executor.stop()
                        waiting.clear()
                    self._start(wanted, waiting, running, threads)
                    self._finish(wanted, running)
            finally:
                if running:
                    self._executor.stop()

    def _start(
        self,
        wanted: dict[str, Job],
        waiting: deque[str],
        running: _Running,
        threads: ThreadPoolExecutor,
    ) -> None:
        """Start jobs while there are threads for them and jobs that no other sweep runs."""
        for _ in range(len(waiting)):
            if len(running) >= self._workers:
                return
            key = waiting.popleft()
            if not self._database.claim(key):
                waiting.append(key)
            elif self._database.results([key]):
                # Another sweep has done it meanwhile.
                self._database.release(key)
            else:
                running[threads.submit(self._executor.execute, wanted[key])] = key

    def _finish(self, wanted: dict[str, Job], running: _Running) -> None:
        """Wait for a while, and keep the results of jobs that ended."""
        if not running:
            time.sleep(_POLL)
        for done in wait(running, _POLL, FIRST_COMPLETED).done:
            key = running.pop(done)
            result = done.result()
            if result is not None:
                self._database.add(key, result)
                self._told(wanted[key], result)
            self._database.release(key)
