"""What a sweep found: the facts of which reports make tables and sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from iopermit.report.compare import short
from iopermit.report.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.ladder import Bounds

Outcome = Literal["holds", "violated", "undetermined", "failed", "not run"]
Kind = Literal["design", "tree", "revision"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("holds", "violated", "undetermined", "failed", "not run")
"""How a job can end; `failed` is one without a verdict, `not run` one that was not begun or was
stopped."""
SHORT_HASH: Final = 12
"""Characters by which a commit is shown."""


@dataclass(frozen=True)
class Variant:
    """In what jobs about the same subject differ.

    Attributes:
        patches: the name of the patches of a tree; empty without any.
        configuration: the kind of preemption of a tree; empty for a design.
        events: how the set of events is called.
        bounds: CPUs, tasks and longs.
    """

    patches: str
    configuration: str
    events: str
    bounds: Bounds


@dataclass(frozen=True)
class SweptCommit:
    """A commit of a row of revisions.

    Attributes:
        hash: its full name.
        summary: the first line of its message.
        number: its place in the row, from 0.
    """

    hash: str
    summary: str
    number: int

    @property
    def short(self) -> str:
        """The name as it is shown."""
        return self.hash[:SHORT_HASH]


@dataclass(frozen=True)
class SweptJob:
    """A job, and how it ended.

    Attributes:
        kind: what kind of subject it is about.
        subject: a design with its switches, the name of a tree, or that of a row of revisions.
        commit: which revision it is about, or None.
        variant: in what it differs from others about the same subject.
        key: under which its result is kept.
        command: what does the same.
        outcome: how it ended.
        violation: the kind of the violation; empty if there is none.
        message: the violation in one sentence, or why there is no verdict.
        states: states visited.
        seconds: how long the job took.
        finished: when it ended, in UTC; empty if it did not.
        kept: whether the result was there before the sweep began.
    """

    kind: Kind
    subject: str
    commit: SweptCommit | None
    variant: Variant
    key: str
    command: str
    outcome: Outcome = "not run"
    violation: str = ""
    message: str = ""
    states: int = 0
    seconds: float = 0.0
    finished: str = ""
    kept: bool = False

    @property
    def verdict(self) -> str | None:
        """What changes where revisions differ: `holds`, or a kind of violation; None without."""
        if self.outcome == "violated":
            return self.violation
        return self.outcome if self.outcome == "holds" else None

    @property
    def row(self) -> str:
        """The row of a matrix in which it stands."""
        if self.commit is None:
            return self.subject
        return f"{self.commit.short} {self.commit.summary}"

    @property
    def group(self) -> str:
        """The matrix in which it stands."""
        return {"design": "Designs", "tree": "Kernel trees"}.get(self.kind, self.subject)


@dataclass(frozen=True)
class VerdictChange:
    """A verdict that changes in a row of revisions.

    Attributes:
        subject: the name of the row.
        variant: for which jobs.
        before: the verdict before.
        after: the verdict afterwards.
        commits: the commit that changes it; several if those in between have no verdict.
    """

    subject: str
    variant: Variant
    before: str
    after: str
    commits: tuple[SweptCommit, ...]

    @property
    def effect(self) -> str:
        """What the commit did to the verdict: `introduced`, `repaired` or `changed`."""
        if self.before == "holds":
            return "introduced"
        return "repaired" if self.after == "holds" else "changed"


@dataclass(frozen=True)
class UnsearchedGap:
    """Revisions between two with the same verdict, of which none was judged.

    Attributes:
        subject: the name of the row.
        variant: for which jobs.
        first: the one before them.
        last: the one behind them.
        revisions: how many they are.
    """

    subject: str
    variant: Variant
    first: SweptCommit
    last: SweptCommit
    revisions: int


@dataclass(frozen=True)
class SweepReport:
    """Everything that a sweep found.

    Attributes:
        title: what the sweep is about; may be empty.
        jobs: the jobs, in the order of the description; of a bisection those that were needed.
        changes: where verdicts change in rows of revisions.
        gaps: what a bisection left out.
    """

    title: str
    jobs: tuple[SweptJob, ...]
    changes: tuple[VerdictChange, ...] = ()
    gaps: tuple[UnsearchedGap, ...] = ()

    @property
    def counts(self) -> Counter[Outcome]:
        """How many jobs ended in each way."""
        return Counter(job.outcome for job in self.jobs)

    @property
    def matrices(self) -> list[SweepMatrix]:
        """The jobs as matrices: one for designs, one for trees, one for each row of revisions."""
        groups: dict[str, list[SweptJob]] = {}
        for job in self.jobs:
            groups.setdefault(job.group, []).append(job)
        return [SweepMatrix(name, tuple(jobs)) for name, jobs in groups.items()]


@dataclass(frozen=True)
class SweepMatrix:
    """Jobs with a row for each subject and a column for each variant."""

    name: str
    jobs: tuple[SweptJob, ...]

    @property
    def columns(self) -> list[Variant]:
        """The variants."""
        return list(dict.fromkeys(job.variant for job in self.jobs))

    @property
    def rows(self) -> Iterator[tuple[str, list[SweptJob | None]]]:
        """Each row's name, with a job for each column; None where there is none."""
        rows: dict[tuple[str, int], dict[Variant, SweptJob]] = {}
        for job in self.jobs:
            number = job.commit.number if job.commit is not None else 0
            rows.setdefault((job.row, number), {})[job.variant] = job
        columns = self.columns
        for (name, _), cells in sorted(rows.items(), key=lambda row: row[0][1]):
            yield name, [cells.get(variant) for variant in columns]

    def heading(self, variant: Variant) -> str:
        """Return what tells a column from the others, in words."""
        columns = self.columns
        parts = [variant.events]
        if any(each.patches for each in columns):
            parts.insert(0, f"with {variant.patches}" if variant.patches else "as it is")
        if len({each.configuration for each in columns}) > 1:
            parts.append(f"preemption {variant.configuration}")
        if len({each.bounds for each in columns}) > 1:
            parts.append(short(variant.bounds))
        return ", ".join(parts)


def cell_text(job: SweptJob | None) -> str:
    """Return how a job ended, in few words."""
    if job is None:
        return ""
    if job.outcome == "violated":
        return job.violation.upper()
    if job.outcome == "holds":
        return f"holds, {count(job.states, 'state')}"
    return job.outcome
