"""Executes a job: `iopermit check` in a process of its own, and what became of it as a result."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from iopermit.kernel.errors import KernelTreeError
from iopermit.sweep.database import JobResult, Outcome
from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import TreeSubject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from iopermit.sweep.checkouts import Checkouts
    from iopermit.sweep.jobs import Job

_WITH_VERDICT: Final = (0, 1, 3)
"""Exit statuses of `check` with a verdict on standard output."""
_POLL: Final = 0.1
"""Seconds between two looks at a process."""
_GRACE: Final = 10.0
"""Seconds that a process has to end when it is asked to."""
_LONGEST: Final = 2000
"""Characters of a message that are kept: its end."""
_BESIDES_SEARCH: Final = 900.0
"""Seconds beyond the limit of a search: building a tree, compiling a design, replaying."""


class _StoppedError(Exception):
    """The job was stopped, so that there is no result."""


class _Ended(NamedTuple):
    """What a result has before it is known how long the job took."""

    outcome: Outcome
    message: str = ""
    kind: str = ""
    states: int = 0
    verdict: dict[str, Any] | None = None


class LocalExecutor:
    """Executes jobs, each in a process of its own, until it is told to stop."""

    def __init__(self, checkouts: Mapping[str, Checkouts]) -> None:
        """Take where revisions are laid out, by the names that the description has for them."""
        self._checkouts = checkouts
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the processes that run, and begin no other one."""
        self._stopped.set()

    def execute(self, job: Job) -> JobResult | None:
        """Return how a job ended; None if it was stopped. Called by several threads at once."""
        started = time.monotonic()
        try:
            with self._tree(job) as tree:
                ended = self._checked(job, tree)
        except _StoppedError:
            return None
        except (SweepError, KernelTreeError, OSError) as error:
            ended = _Ended("failed", str(error))
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

    @contextlib.contextmanager
    def _tree(self, job: Job) -> Iterator[Path | None]:
        """Give the directory of a revision for as long as its job runs."""
        subject = job.subject
        if self._stopped.is_set():
            raise _StoppedError
        if not isinstance(subject, TreeSubject) or subject.place is None:
            yield None
            return
        checkouts = self._checkouts[subject.name]
        with checkouts.laid_out(subject.place.commit, subject.patches) as tree:
            yield tree

    def _checked(self, job: Job, tree: Path | None) -> _Ended:
        command = [sys.executable, "-P", "-m", "iopermit"]
        command += [*job.arguments(tree), "--json", "--quiet"]
        timeout = job.limits.timeout
        most = None if timeout is None else timeout + _BESIDES_SEARCH
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            # In a session of its own: Ctrl-C on the terminal is not for the job.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
            try:
                in_time = self._waited(process, most)
            finally:
                _end(process)
            if not in_time:
                return _Ended("failed", f"it did not end within {most:g} seconds")
            return _ended(process.returncode, _content(out), _content(err))

    def _waited(self, process: subprocess.Popen[bytes], most: float | None) -> bool:
        """Wait for a process to end; return whether it did in time."""
        started = time.monotonic()
        while not self._stopped.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL)
                return True
            if most is not None and time.monotonic() - started > most:
                return False
        raise _StoppedError


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, if it did not end itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _content(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


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
