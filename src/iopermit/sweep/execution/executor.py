"""What executors of jobs have in common: the tree of a revision, the command, the result."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iopermit.kernel.errors import KernelTreeError
from iopermit.sweep.database import JobResult, Outcome
from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import TreeSubject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from iopermit.sweep.checkouts import Checkouts
    from iopermit.sweep.execution.process import ProcessEnd
    from iopermit.sweep.jobs import Job

_WITH_VERDICT: Final = (0, 1, 3)
"""Exit statuses of `check` with a verdict on standard output."""
_LONGEST: Final = 2000
"""Characters of a message that are kept: its end."""
_BESIDES_SEARCH: Final = 900.0
"""Seconds beyond the limit of a search: building a tree, compiling a design, replaying."""


class _Ended(NamedTuple):
    """What a result has before it is known how long the job took."""

    outcome: Outcome
    message: str = ""
    kind: str = ""
    states: int = 0
    verdict: dict[str, Any] | None = None


class ProcessExecutor(ABC):
    """Executes jobs, each as a process somewhere, until it is told to stop."""

    def __init__(self, checkouts: Mapping[str, Checkouts]) -> None:
        """Take where revisions are laid out, by the names that the description has for them."""
        self._checkouts = checkouts
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the processes that run, and begin no other one."""
        self._stopped.set()

    @property
    def goes_on(self) -> bool:
        """Whether it was not told to stop."""
        return not self._stopped.is_set()

    def execute(self, job: Job) -> JobResult | None:
        """Return how a job ended; None if it was stopped. Called by several threads at once."""
        started = time.monotonic()
        ended: _Ended | None = None
        try:
            with self._tree(job) as tree:
                if self.goes_on:
                    ended = self._checked(job, tree)
        except (SweepError, KernelTreeError, OSError) as error:
            ended = _Ended("failed", str(error))
        if ended is None:
            return None
        return JobResult(
            ended.outcome,
            ended.kind,
            ended.message,
            ended.states,
            round(time.monotonic() - started, 3),
            dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            job.command,
            ended.verdict,
        )

    @abstractmethod
    def end_of(
        self, job: Job, arguments: Sequence[str], seconds: float | None
    ) -> ProcessEnd | None:
        """Run the command of a job.

        Args:
            job: what it is about.
            arguments: those of the command `iopermit`.
            seconds: how long it may take; None: as long as it wants.

        Returns:
            How its process ended; None if it was stopped.

        Raises:
            SweepError: it cannot be run, and why.
            OSError: the system refuses to run it.
        """

    @contextlib.contextmanager
    def _tree(self, job: Job) -> Iterator[Path | None]:
        """Give the directory of a revision for as long as its job runs."""
        subject = job.subject
        if not isinstance(subject, TreeSubject) or subject.place is None or not self.goes_on:
            yield None
            return
        checkouts = self._checkouts[subject.name]
        with checkouts.laid_out(subject.place.commit, subject.patches) as tree:
            yield tree

    def _checked(self, job: Job, tree: Path | None) -> _Ended | None:
        timeout = job.limits.timeout
        most = None if timeout is None else timeout + _BESIDES_SEARCH
        end = self.end_of(job, [*job.arguments(tree), "--json", "--quiet"], most)
        if end is None:
            return None
        if end.status is None:
            return _Ended("failed", f"it did not end within {most:g} seconds")
        return _ended(end.status, end.out, end.err)


def _ended(status: int, out: str, err: str) -> _Ended:
    """Return what a process that ended with a status says."""
    if status in _WITH_VERDICT:
        with contextlib.suppress(ValueError):
            return _of_verdict(json.loads(out))
    return _Ended("failed", _why(status, err))


def _of_verdict(verdict: dict[str, Any]) -> _Ended:
    violation, states = verdict["violation"], verdict["search"]["states"]
    if violation is None:
        return _Ended(verdict["verdict"], verdict["reason"], "", states, verdict)
    return _Ended("violated", violation["message"], violation["kind"], states, verdict)


def _why(status: int, err: str) -> str:
    """Return why there is no verdict: what the process said, or which signal ended it."""
    said = " ".join(err.split()).removeprefix("iopermit: error: ")[-_LONGEST:]
    if status < 0:
        name = signal.Signals(-status).name
        memory = "; perhaps the system had no more memory" if -status == signal.SIGKILL else ""
        return f"ended by the signal {name}{memory}{f': {said}' if said else ''}"
    return said or f"it ended with status {status} and said nothing"
