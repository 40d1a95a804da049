"""The database of results: it grows, has each job once, and can be shared by sweeps that run."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from iopermit.sweep.errors import SweepError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Outcome = Literal["holds", "violated", "undetermined", "failed"]

_MAGIC: Final = b"SQLite format 3\0"
"""How a database begins (https://www.sqlite.org/fileformat.html, 1.3)."""
_APPLICATION: Final = 0x696F7073
"""Tells databases of sweeps from others: the letters `iops`."""
_VERSION: Final = 1
"""Of the tables."""
_PATIENCE: Final = 60.0
"""Seconds to wait for another process that writes."""
_OFFSET_DIGITS: Final = 15
"""Hexadecimal digits of a key that become an offset, which has to be below 2**63."""
_AT_ONCE: Final = 500
"""Keys in one question."""
_TABLES: Final = """\
CREATE TABLE results (
    key TEXT PRIMARY KEY,
    outcome TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    states INTEGER NOT NULL,
    seconds REAL NOT NULL,
    finished TEXT NOT NULL,
    command TEXT NOT NULL,
    verdict TEXT NOT NULL
)
"""
_COLUMNS: Final = "outcome, kind, message, states, seconds, finished, command, verdict"
_KINDS: Final = {
    "kind": str,
    "message": str,
    "states": int,
    "seconds": float,
    "finished": str,
    "command": str,
}
"""What Python makes of the columns."""


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        outcome: the verdict, or `failed` if there is none.
        kind: the kind of the violation; empty if there is none.
        message: the violation in one sentence, or why there is no verdict.
        states: how many were visited.
        seconds: how long the job took.
        finished: when it ended: date and time in UTC, as ISO 8601 has it.
        command: the command line that does the same.
        verdict: what `check --json` printed; None if it printed nothing.
    """

    outcome: Outcome
    kind: str
    message: str
    states: int
    seconds: float
    finished: str
    command: str
    verdict: dict[str, Any] | None = None


class Database:
    """The results of jobs by their keys, in a file of SQLite.

    Besides it lies `FILE.lock`, in which a sweep locks one byte for each job that it runs: another
    sweep waits for the result instead. The system gives the lock back however the sweep ends.
    """

    def __init__(self, file: Path) -> None:
        """Open the database, or make it.

        Raises:
            SweepError: the file is something else, or cannot be read or written.
        """
        self.file = file
        if _is_something_else(file):
            raise SweepError(f"{file} is no database; name another file with --database")
        with self._explained():
            self._connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)
            self._prepare()
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._locks = os.open(f"{file}.lock", flags, 0o666)
        except OSError as error:
            self._connection.close()
            raise SweepError(f"cannot write {file}.lock: {error.strerror}") from error

    def close(self) -> None:
        """Close it, and give back every claim."""
        self._connection.close()
        os.close(self._locks)

    def __enter__(self) -> Database:  # noqa: PYI034 - there is no subclass
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def results(self, keys: Sequence[str]) -> dict[str, JobResult]:
        """Return the results that there are for some jobs. Raises SweepError."""
        found = {}
        with self._explained():
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                # The marks are question marks only.
                rows = self._connection.execute(
                    f"SELECT key, {_COLUMNS} FROM results WHERE key IN ({marks})",  # noqa: S608 - see above
                    some,
                )
                found.update({key: self._result(key, values) for key, *values in rows})
        return found

    def _result(self, key: str, values: Sequence[Any]) -> JobResult:
        named = dict(zip(_COLUMNS.split(", "), values, strict=True))
        verdict = named.pop("verdict")
        wrong = [name for name, kind in _KINDS.items() if not isinstance(named[name], kind)]
        if not wrong and isinstance(verdict, str) and named["outcome"] in get_args(Outcome):
            with contextlib.suppress(ValueError, RecursionError):
                return JobResult(**named, verdict=json.loads(verdict) if verdict else None)
        message = f"{self.file}: the result of job {key} is damaged"
        raise SweepError(f"{message}; name another file with --database")

    def add(self, key: str, result: JobResult) -> None:
        """Keep the result of a job, instead of an earlier one. Raises SweepError."""
        values = [getattr(result, name) for name in _COLUMNS.split(", ")]
        values[-1] = "" if result.verdict is None else json.dumps(result.verdict)
        marks = ",".join("?" * (len(values) + 1))
        with self._explained():
            self._connection.execute(
                f"INSERT OR REPLACE INTO results (key, {_COLUMNS}) VALUES ({marks})",  # noqa: S608 - as above
                [key, *values],
            )

    def forget_undecided(self, keys: Sequence[str]) -> None:
        """Remove the results of jobs that are no verdict, so that they run again. SweepError."""
        found = self.results(keys)
        undecided = [key for key in found if found[key].outcome in ("undetermined", "failed")]
        with self._explained():
            for key in undecided:
                self._connection.execute("DELETE FROM results WHERE key = ?", [key])

    def claim(self, key: str) -> bool:
        """Return whether a job is this process's to run: no other one has claimed it."""
        try:
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, key: str) -> None:
        """Give a claim back."""
        fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, _offset(key))

    def _prepare(self) -> None:
        """Make the tables of a new file; refuse one that is something else."""
        self._connection.execute("BEGIN IMMEDIATE")
        with contextlib.closing(self._connection.execute("PRAGMA application_id")) as cursor:
            application = cursor.fetchone()[0]
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables and not application:
            self._connection.execute(_TABLES)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif (application, version) != (_APPLICATION, _VERSION):
            what = "no database of a sweep" if application != _APPLICATION else "of another version"
            raise SweepError(f"{self.file} is {what}; name another file with --database")
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            remedy = "name another file with --database"
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                remedy = (
                    "make room, and give the same command again: no job with a result is run twice"
                )
            raise SweepError(f"the database {self.file}: {error}; {remedy}") from error


def _is_something_else(file: Path) -> bool:
    """Return whether a file has a content that is no database.

    SQLite looks, too; but a file that is shorter than its header it takes for a new one, and writes
    over it.
    """
    if not file.is_file():
        return False
    try:
        with file.open("rb") as stream:
            beginning = stream.read(len(_MAGIC))
    except OSError:
        return False  # SQLite says why it cannot be read
    return bool(beginning) and beginning != _MAGIC


def _offset(key: str) -> int:
    return int(key[:_OFFSET_DIGITS], 16)
