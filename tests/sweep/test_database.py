"""Tests of iopermit.sweep.database: results stay, jobs are claimed once, bad files are refused."""

import hashlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.sweep.made_jobs import result

from iopermit.sweep.database import Database, Outcome
from iopermit.sweep.errors import SweepError

KEYS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(12)]


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    """What was kept is there, unchanged, when the database is opened again; what was not is not."""
    file = tmp_path / "results.sqlite"
    kept = result("violated", "leak", "task B may use port 1")
    with Database(file) as database:
        database.add(KEYS[0], kept)
    with Database(file) as database:
        assert database.results(KEYS) == {KEYS[0]: kept}


def test_many_jobs_are_asked_for_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More jobs than one question of SQLite may have are found all the same."""
    monkeypatch.setattr("iopermit.sweep.database._AT_ONCE", 5)
    with Database(tmp_path / "results.sqlite") as database:
        for key in KEYS:
            database.add(key, result())
        assert database.results(KEYS).keys() == set(KEYS)


def test_what_has_no_verdict_can_be_forgotten(tmp_path: Path) -> None:
    """Failed and undetermined jobs are forgotten, those with a verdict are not."""
    outcomes: tuple[Outcome, ...] = ("holds", "violated", "undetermined", "failed")
    with Database(tmp_path / "results.sqlite") as database:
        for key, outcome in zip(KEYS, outcomes, strict=False):
            database.add(key, result(outcome))
        database.forget_undecided(KEYS)
        left = {each.outcome for each in database.results(KEYS).values()}
        assert left == {"holds", "violated"}


CLAIMING = """
import sys
from pathlib import Path
from iopermit.sweep.database import Database, Outcome
with Database(Path(sys.argv[1])) as database:
    print(*(database.claim(key) for key in sys.argv[2:]))
"""


def test_a_job_belongs_to_one_process(tmp_path: Path) -> None:
    """What one process has claimed another one cannot, until it is given back."""
    file = tmp_path / "results.sqlite"

    def others() -> str:
        command = [sys.executable, "-c", CLAIMING, str(file), *KEYS[:2]]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    with Database(file) as database:
        assert database.claim(KEYS[0])
        assert others() == "False True"
        database.release(KEYS[0])
        assert others() == "True True"


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    """Neither text nor somebody else's database is written to; the message says what to do."""
    text, short, other = (tmp_path / name for name in ("text", "short", "other.sqlite"))
    text.write_text("no database\n" * 100)
    short.write_text("S")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    for file in (text, short, other):
        before = file.read_bytes()
        with pytest.raises(SweepError, match="name another file with --database"):
            Database(file)
        assert file.read_bytes() == before


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    """Tables that a later version has changed are not read as if they were these."""
    file = tmp_path / "results.sqlite"
    Database(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(SweepError, match="of another version"):
        Database(file)


@pytest.mark.parametrize(
    ("column", "value"),
    [("verdict", "{"), ("verdict", b"x"), ("states", "many"), ("outcome", "well"), ("kind", 1.5)],
)
def test_a_damaged_result_is_told(column: str, value: object, tmp_path: Path) -> None:
    """A row with what no sweep writes ends in a message that names the file and the job."""
    file = tmp_path / "results.sqlite"
    with Database(file) as database:
        database.add(KEYS[0], result())
        database._connection.execute(f"UPDATE results SET {column} = CAST(? AS BLOB)", [value])  # noqa: S608 - see above
        with pytest.raises(SweepError, match=f"{file}: the result of job {KEYS[0]} is damaged"):
            database.results(KEYS)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A directory that does not exist ends in a message with the name of the file."""
    with pytest.raises(SweepError, match="unable to open database file"):
        Database(tmp_path / "gone" / "results.sqlite")
