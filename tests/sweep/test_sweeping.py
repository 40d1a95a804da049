"""Tests of iopermit.sweep.sweeping: what a sweep runs, keeps and reports, bisections included."""

from pathlib import Path

from tests.support.sweep.histories import COMMITS, INTRODUCED, REPAIRED
from tests.support.sweep.made_jobs import NotedExecutor, design_job, result, row

from iopermit.engine.interruption import Interruption
from iopermit.report.sweep.facts import SweepReport
from iopermit.sweep.database import Database, JobResult
from iopermit.sweep.jobs import Job, TreeSubject
from iopermit.sweep.sweeping import Sweep

JOBS = row(COMMITS + 1)


def judge(job: Job) -> JobResult:
    """Return the verdict about a revision of a history with a fault that comes and goes."""
    assert isinstance(job.subject, TreeSubject)
    assert job.subject.place is not None
    faulty = INTRODUCED <= job.subject.place.number < REPAIRED
    return result("violated", "leak", "a leak") if faulty else result()


def swept(
    file: Path,
    jobs: list[Job],
    executor: NotedExecutor,
    *,
    bisect: bool = False,
) -> SweepReport:
    """Return what a sweep reports."""
    with Database(file) as database:
        sweep = Sweep("A title", jobs, database)
        return sweep.run(executor, 2, Interruption(), bisect=bisect, told=lambda _: None)


def changed(report: SweepReport) -> list[tuple[str, list[int]]]:
    """Return what commits of a row did, by their places."""
    return [(each.effect, [one.number for one in each.commits]) for each in report.changes]


def test_a_sweep_runs_everything_and_says_where_verdicts_change(tmp_path: Path) -> None:
    """Without a bisection every revision is judged, and the changes are told."""
    executor = NotedExecutor(judge)
    report = swept(tmp_path / "a.sqlite", JOBS, executor)
    assert len(executor.asked) == len(report.jobs) == COMMITS + 1
    assert changed(report) == [("introduced", [INTRODUCED]), ("repaired", [REPAIRED])]
    assert not report.gaps


def test_a_bisection_finds_the_same_with_fewer_jobs(tmp_path: Path) -> None:
    """Nine of thirteen revisions are judged, and the right commits are named."""
    executor = NotedExecutor(judge)
    report = swept(tmp_path / "a.sqlite", JOBS, executor, bisect=True)
    assert len(executor.asked) == len(report.jobs) <= 9
    assert changed(report) == [("introduced", [INTRODUCED]), ("repaired", [REPAIRED])]
    assert report.gaps


def test_a_bisection_of_many_revisions_takes_a_logarithm_of_jobs(tmp_path: Path) -> None:
    """One change in 500 revisions takes 2 + 2 log2(500) jobs at most."""
    executor = NotedExecutor(lambda job: result("violated", "leak") if _late(job) else result())
    report = swept(tmp_path / "a.sqlite", row(500), executor, bisect=True)
    assert changed(report) == [("introduced", [321])]
    assert len(executor.asked) <= 20


def _late(job: Job) -> bool:
    assert isinstance(job.subject, TreeSubject)
    assert job.subject.place is not None
    return job.subject.place.number >= 321


def test_a_bisection_uses_what_is_known(tmp_path: Path) -> None:
    """A second bisection on the same database runs nothing, and reports the same."""
    first = swept(tmp_path / "a.sqlite", JOBS, NotedExecutor(judge), bisect=True)
    executor = NotedExecutor(judge)
    second = swept(tmp_path / "a.sqlite", JOBS, executor, bisect=True)
    assert not executor.asked
    assert changed(second) == changed(first)
    assert all(job.kept for job in second.jobs)
    assert not any(job.kept for job in first.jobs)


def test_other_jobs_of_a_bisection_run_as_usual(tmp_path: Path) -> None:
    """Designs beside a row of revisions are all checked."""
    executor = NotedExecutor(lambda job: judge(job) if job in JOBS else result())
    designs = [design_job("a"), design_job("b")]
    report = swept(tmp_path / "a.sqlite", [*designs, *JOBS], executor, bisect=True)
    assert [job.subject for job in report.jobs if job.kind == "design"] == ["a", "b"]


def test_two_sweeps_share_a_database(tmp_path: Path) -> None:
    """What one sweep found another one has, if it is the same job; the rest it adds."""
    file = tmp_path / "a.sqlite"
    one, two = NotedExecutor(lambda _: result()), NotedExecutor(lambda _: result())
    swept(file, [design_job("a"), design_job("b")], one)
    report = swept(file, [design_job("b"), design_job("c")], two)
    assert [job.key for job in two.asked] == [design_job("c").key]
    assert [(job.subject, job.kept) for job in report.jobs] == [("b", True), ("c", False)]


def test_revisions_without_a_verdict_leave_it_open_which_commit_it_was(tmp_path: Path) -> None:
    """If the commits before the first faulty one do not build, it is one of them."""

    def answer(job: Job) -> JobResult:
        assert isinstance(job.subject, TreeSubject)
        assert job.subject.place is not None
        broken = job.subject.place.number in (3, 4)
        return result("failed", "", "does not build") if broken else judge(job)

    report = swept(tmp_path / "a.sqlite", JOBS, NotedExecutor(answer), bisect=True)
    assert changed(report)[0] == ("introduced", [3, 4, 5])


def test_a_report_without_a_run(tmp_path: Path) -> None:
    """What has no result is reported as not run; a bisection leaves it out."""
    file = tmp_path / "a.sqlite"
    swept(file, JOBS[:2], NotedExecutor(judge))
    with Database(file) as database:
        sweep = Sweep("A title", JOBS, database)
        assert [job.outcome for job in sweep.report().jobs].count("not run") == COMMITS - 1
        assert len(sweep.report(bisected=True).jobs) == 2
