"""Makes jobs and results of sweeps for tests that run no check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.sweep.database import JobResult
from iopermit.sweep.definition import JobLimits
from iopermit.sweep.jobs import Commit, DesignSubject, Job, RevisionPlace, TreeSubject
from iopermit.system.events import plain_events
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iopermit.sweep.database import Outcome

SCENARIO = Scenario(1, 2, 1, plain_events())


def design_job(name: str = "linux-6.16", *options: str, events: str = "plain") -> Job:
    """Return a job about a design."""
    return Job(DesignSubject(name, options, "digest"), events, SCENARIO, JobLimits(), "checker")


def tree_job(name: str, path: Path, patch_set: str = "") -> Job:
    """Return a job about a kernel tree."""
    subject = TreeSubject(name, name, path, patch_set=patch_set)
    return Job(subject, "plain", SCENARIO, JobLimits(), "checker")


def row(count: int, name: str = "history") -> list[Job]:
    """Return jobs about so many revisions, oldest first."""
    jobs = []
    for number in range(count):
        commit = Commit(f"{number:040x}", f"tree {number}", f"Change {number}")
        subject = TreeSubject(name, commit.tree, None, RevisionPlace(commit, number, count))
        jobs.append(Job(subject, "plain", SCENARIO, JobLimits(), "checker"))
    return jobs


def result(outcome: Outcome = "holds", kind: str = "", message: str = "") -> JobResult:
    """Return how a job ended."""
    return JobResult(outcome, kind, message, 7, 1.5, "2026-11-27T12:00:00+00:00", "iopermit check")


@dataclass
class NotedExecutor:
    """Executes nothing: notes what it is asked for, and answers."""

    answer: Callable[[Job], JobResult | None]
    asked: list[Job] = field(default_factory=list)
    stopped: bool = False

    def execute(self, job: Job) -> JobResult | None:
        """Note a job and answer."""
        self.asked.append(job)
        return None if self.stopped else self.answer(job)

    def stop(self) -> None:
        """Note it."""
        self.stopped = True
