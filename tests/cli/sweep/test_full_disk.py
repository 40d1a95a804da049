"""Tests of `sweep` on a file system that is really full: what has a result is kept."""

import json
from pathlib import Path

import pytest
from tests.support.cli.command import HOLDING, run
from tests.support.cli.small_disk import SmallDisk

DESCRIPTION = f'designs = ["{HOLDING}", "linux-5.4"]\nevents = ["plain"]\n[[scenario]]\ntasks = 1\n'


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk:
    """Give a small file system, and the description of a sweep beside it."""
    (tmp_path / "sweep.toml").write_text(DESCRIPTION)
    (tmp_path / "small").mkdir()
    return SmallDisk(tmp_path / "small", 1_000_000)


@pytest.mark.parametrize("left", [0, 24 << 10], ids=["no space", "space for the tables"])
def test_a_database_that_cannot_grow_is_told(left: int, disk: SmallDisk, tmp_path: Path) -> None:
    """Status 2 and one message that says to make room; then the same command ends the sweep."""
    database, filler = disk.folder / "results.sqlite", disk.folder / "filler"
    sweep = f"iopermit sweep {tmp_path / 'sweep.toml'} --database {database}"
    ran = disk.run(
        f"{disk.filled(left)} {sweep} --json; echo $?; rm {filler}; exec 2>/dev/null; {sweep}"
    )
    assert ran.stdout.startswith("2\n")
    assert f"{database}: database or disk is full; make room" in ran.stderr
    assert ran.stderr.count("error") == 1
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 0
    assert "2 jobs: holds 2" in ran.stdout


def test_results_that_do_not_fit_are_told(
    disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON, page and drawing: status 2 and one message each; the database has all results."""
    file, page, drawing = tmp_path / "sweep.toml", disk.folder / "page", disk.folder / "drawing"
    assert run(capsys, "sweep", file).status == 0
    shown = f"iopermit sweep {file} --no-run"
    for command, name in (
        (f"{shown} --json >{disk.folder / 'json'}", "to standard output"),
        (f"{shown} --html {page}", page),
        (f"{shown} --plot {drawing}", drawing),
    ):
        ran = disk.run(f"{disk.filled()} {command}")
        assert ran.returncode == 2
        assert f"cannot write {name}: No space left on device" in ran.stderr
        assert len(ran.stderr.splitlines()) == 1
    again = run(capsys, "sweep", file, "--no-run", "--json")
    assert [job["outcome"] for job in json.loads(again.out)["jobs"]] == ["holds", "holds"]
