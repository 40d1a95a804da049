"""Runs a sweep: executes its jobs, or those of a bisection, and reports what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iopermit.report.sweep.facts import (
    SweepReport,
    SweptCommit,
    SweptJob,
    UnsearchedGap,
    Variant,
    VerdictChange,
)
from iopermit.sweep.bisection import changes, next_places, unsearched
from iopermit.sweep.jobs import DesignSubject, TreeSubject
from iopermit.sweep.pool import JobPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from iopermit.engine.interruption import Interruption
    from iopermit.report.sweep.facts import Kind
    from iopermit.sweep.database import Database, JobResult
    from iopermit.sweep.jobs import Job, Subject
    from iopermit.sweep.pool import JobExecutor

    Told = Callable[[SweptJob], None]


@dataclass(frozen=True)
class RevisionRow:
    """The jobs about revisions that differ in nothing else, oldest revision first."""

    subject: str
    variant: Variant
    jobs: tuple[Job, ...]

    def known(self, results: Mapping[str, JobResult]) -> dict[int, str | None]:
        """Return the verdicts that there are, by the places of the revisions."""
        return {
            place: _described(job, results[job.key]).verdict
            for place, job in enumerate(self.jobs)
            if job.key in results
        }

    def changes(self, results: Mapping[str, JobResult]) -> Iterator[VerdictChange]:
        """Yield where the verdict changes, as far as there are results."""
        for one in changes(self.known(results)):
            places = range(one.last_before + 1, one.first_after + 1)
            commits = tuple(map(self._commit, places))
            yield VerdictChange(self.subject, self.variant, one.before, one.after, commits)

    def gaps(self, results: Mapping[str, JobResult]) -> Iterator[UnsearchedGap]:
        """Yield what was not judged between two revisions with the same verdict."""
        for one, other in unsearched(self.known(results)):
            ends = self._commit(one), self._commit(other)
            yield UnsearchedGap(self.subject, self.variant, *ends, other - one - 1)

    def _commit(self, place: int) -> SweptCommit:
        found = _described(self.jobs[place]).commit
        assert found is not None  # the row is one of revisions
        return found


class Sweep:
    """A sweep over jobs, with its results in a database."""

    def __init__(self, title: str, jobs: Sequence[Job], database: Database) -> None:
        """Take what is to be done, and what was done before."""
        self._title, self._jobs, self._database = title, jobs, database
        self._rows = _rows(jobs)
        self._before = set(database.results(_keys(jobs)))

    def run(
        self,
        executor: JobExecutor,
        workers: int,
        interruption: Interruption,
        *,
        bisect: bool,
        told: Told,
    ) -> SweepReport:
        """Execute what has no result yet, and report.

        Args:
            executor: executes jobs.
            workers: how many at once.
            interruption: ends the sweep when it is requested.
            bisect: whether of rows of revisions only what tells where verdicts change.
            told: is told of each job that ended.

        Raises:
            SweepError: a result cannot be read or kept.
        """
        pool = JobPool(
            self._database,
            executor,
            workers,
            interruption,
            lambda job, result: told(_described(job, result)),
        )
        if not bisect:
            pool.run(self._jobs)
            return self.report()
        of_rows = {id(job) for row in self._rows for job in row.jobs}
        wanted = [job for job in self._jobs if id(job) not in of_rows]
        more = self._next_of_rows()
        while True:
            wanted += more
            pool.run(wanted)
            more = self._next_of_rows()
            if not more or interruption.requested:
                return self.report(wanted, bisected=True)

    def report(self, wanted: Sequence[Job] = (), *, bisected: bool = False) -> SweepReport:
        """Return what the database has, without executing anything.

        Args:
            wanted: of a bisection: the jobs that are part of it also if they have no result.
            bisected: whether jobs without a result are left out otherwise.

        Raises:
            SweepError: the database cannot be read.
        """
        results = self._database.results(_keys(self._jobs))
        chosen = {id(job) for job in wanted}
        jobs = tuple(
            _described(job, results.get(job.key), kept=job.key in self._before)
            for job in self._jobs
            if not bisected or id(job) in chosen or job.key in results
        )
        found = tuple(change for row in self._rows for change in row.changes(results))
        gaps = (gap for row in self._rows for gap in row.gaps(results)) if bisected else ()
        return SweepReport(self._title, jobs, found, tuple(gaps))

    def _next_of_rows(self) -> list[Job]:
        """Return the jobs that tell more about where verdicts of rows change; none at the end."""
        keys = _keys([job for row in self._rows for job in row.jobs])
        results = self._database.results(keys)
        return [
            row.jobs[place]
            for row in self._rows
            for place in next_places(row.known(results), len(row.jobs))
        ]


def _keys(jobs: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(job.key for job in jobs))


def _rows(jobs: Sequence[Job]) -> list[RevisionRow]:
    """Return the rows of revisions among jobs."""
    rows: dict[tuple[str, Variant], list[Job]] = {}
    for job in jobs:
        if isinstance(job.subject, TreeSubject) and job.subject.place is not None:
            rows.setdefault((job.subject.name, _variant(job)), []).append(job)
    return [RevisionRow(name, variant, tuple(found)) for (name, variant), found in rows.items()]


def _variant(job: Job) -> Variant:
    if isinstance(job.subject, DesignSubject):
        return Variant("", "", job.events, job.bounds)
    return Variant(job.subject.patch_set, job.subject.configuration, job.events, job.bounds)


def _described(job: Job, result: JobResult | None = None, *, kept: bool = False) -> SweptJob:
    """Return a job as reports have it."""
    described = SweptJob(*_subject(job.subject), _variant(job), job.key, job.command)
    if result is None:
        return described
    return replace(
        described,
        outcome=result.outcome,
        violation=result.kind,
        message=result.message,
        states=result.states,
        seconds=result.seconds,
        finished=result.finished,
        kept=kept,
    )


def _subject(subject: Subject) -> tuple[Kind, str, SweptCommit | None]:
    """Return the kind of a subject, its name in reports, and the commit that it is."""
    if isinstance(subject, DesignSubject):
        return "design", " --option ".join((subject.name, *subject.options)), None
    if subject.place is None:
        return "tree", subject.name, None
    commit = subject.place.commit
    return "revision", subject.name, SweptCommit(commit.hash, commit.summary, subject.place.number)
