"""Tests of `iopermit replay`: the same violation again, and damaged files."""

import inspect
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli.command import CRASHING, HOLDING, SMALL, run, start
from tests.support.report.strict import problems

from iopermit.cli import main
from iopermit.designs import find


@pytest.fixture(scope="module")
def saved_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a saved violation, for all tests of this file."""
    file = tmp_path_factory.mktemp("saved") / "crash.json"
    assert main(["check", CRASHING, *SMALL, "-q", "--save", str(file)]) == 1
    return file


@pytest.fixture
def saved(saved_once: Path, tmp_path: Path) -> Path:
    """Return a file with a saved violation that a test may damage."""
    return Path(shutil.copy(saved_once, tmp_path))


def test_replay_shows_the_same_violation(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """A replay in another process says the same violation, with the same schedule."""
    process = start("replay", saved, "--json")
    out, _ = process.communicate()
    before, again = json.loads(saved.read_text()), json.loads(out)
    assert process.returncode == 1
    assert again["violation"] == before["violation"]
    assert again["trace"] == before["trace"]
    assert run(capsys, "replay", saved).out.startswith("BUG: kernel crash in linux-060aa16f: ")


def test_replay_shows_steps(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """--steps shows every step of the saved schedule."""
    ran = run(capsys, "replay", saved, "--steps")
    assert "designs/linux/commit_060aa16f.py:" in ran.out


def test_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file that does not exist gives the system's reason and how to write one."""
    ran = run(capsys, "replay", tmp_path / "no.json")
    assert ran.status == 2
    assert "No such file or directory; write one with: iopermit check" in ran.err


def test_truncated_file(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """A file that was cut off is recognised, with the place."""
    saved.write_text(saved.read_text()[:500])
    ran = run(capsys, "replay", saved)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"iopermit: error: {saved}:")
    assert "not JSON, or cut off" in ran.err


def test_binary_file(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """A binary file is no JSON."""
    saved.write_bytes(b"\xff\xfe\x00")
    ran = run(capsys, "replay", saved)
    assert ran.status == 2
    assert "not JSON" in ran.err


def damage(file: Path, change: Any) -> None:  # noqa: ANN401 - a function on JSON
    """Change the saved object."""
    saved = json.loads(file.read_text())
    change(saved)
    file.write_text(json.dumps(saved))


def drop_steps(saved: dict[str, Any]) -> None:
    """Keep the first step only."""
    del saved["trace"][1:]


def renumber_cpu(saved: dict[str, Any]) -> None:
    """Let the schedule start on a CPU that does not exist."""
    saved["trace"][0]["cpu"] = 7


def rename_event(saved: dict[str, Any]) -> None:
    """Let the schedule start with an event that does not exist."""
    saved["trace"][0]["event"] = "frok"


def forget_labels(saved: dict[str, Any]) -> None:
    """Remove what replay follows."""
    for step in saved["trace"]:
        del step["label"]


def lose_design(saved: dict[str, Any]) -> None:
    """Name a design that does not exist."""
    saved["design"]["name"] = "linux-0.0"


@pytest.mark.parametrize(
    "change", [drop_steps, renumber_cpu, rename_event, forget_labels, lose_design]
)
def test_damaged_file(capsys: pytest.CaptureFixture[str], saved: Path, change: Any) -> None:  # noqa: ANN401 - a function on JSON
    """A damaged schedule gives one message and status 2; the file is left as it is."""
    damage(saved, change)
    before = saved.read_bytes()
    ran = run(capsys, "replay", saved)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("iopermit: error: ")
    assert saved.read_bytes() == before


WRONG: tuple[object, ...] = (None, True, -1, 7.5, 1 << 70, "B", "\x00", [], [[]], {}, {"x": 1})
"""Values of every type, none of which a saved schedule can have in most places."""


def places(value: object, deepest: int = 5) -> Iterator[tuple[Any, Any]]:
    """Yield every object or list of JSON with each of its keys; of long lists the first two."""
    if not isinstance(value, dict | list) or not deepest:
        return
    for key in list(value) if isinstance(value, dict) else range(min(2, len(value))):
        yield value, key
        yield from places(value[key], deepest - 1)


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_value_of_another_type(
    capsys: pytest.CaptureFixture[str], saved: Path, wrong: object
) -> None:
    """Wherever a value of another type stands, it is refused with a message, or not read at all."""
    whole = json.loads(saved.read_text())
    refused = 0
    for parent, key in places(whole):
        before, parent[key] = parent[key], wrong
        saved.write_text(json.dumps(whole))
        parent[key] = before
        ran = run(capsys, "replay", saved)
        assert ran.status in {1, 2}, (key, ran.err)
        if ran.status == 2:
            refused += 1
            assert (ran.out, len(ran.err.splitlines())) == ("", 1)
            assert ran.err.startswith("iopermit: error: ")
            assert str(saved) in ran.err
    assert refused > 20


def test_step_that_cannot_happen_is_no_proof(
    capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    """A schedule in which a task makes a call within a call is refused, whatever it would show."""

    def nest(saved: dict[str, Any]) -> None:
        call = next(n for n, step in enumerate(saved["trace"]) if step["event"] != "step")
        saved["trace"].insert(call + 1, saved["trace"][call])

    damage(saved, nest)
    ran = run(capsys, "replay", saved)
    assert (ran.status, ran.out) == (2, "")
    assert "is not possible there" in ran.err


def test_number_without_end(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """A number of thousands of digits is no JSON that can be read."""
    saved.write_text(f'{{"schema": {"9" * 5000}}}')
    ran = run(capsys, "replay", saved)
    assert ran.status == 2
    assert f"{saved}: not JSON" in ran.err


def test_deep_nesting(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """JSON nested deeper than can be read is refused."""
    saved.write_text("[" * 100_000)
    ran = run(capsys, "replay", saved)
    assert ran.status == 2
    assert f"{saved}: its JSON is nested too deep" in ran.err


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full"])
def test_file_without_end(capsys: pytest.CaptureFixture[str], device: str) -> None:
    """A device that never ends is given up after as many bytes as a saved file can have."""
    ran = run(capsys, "replay", device)
    assert ran.status == 2
    assert f"cannot read {device}: it has more than 33,554,432 bytes" in ran.err


def test_pipe(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """What comes through a pipe is read; this is cut off."""
    reading, writing = os.pipe()
    os.write(writing, saved.read_bytes()[:5000])
    os.close(writing)
    ran = run(capsys, "replay", f"/dev/fd/{reading}")
    os.close(reading)
    assert ran.status == 2
    assert f"/dev/fd/{reading}:" in ran.err
    assert "cut off" in ran.err


def test_verdict_without_violation(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A saved verdict that holds has nothing to replay."""
    file = tmp_path / "holds.json"
    assert run(capsys, "check", HOLDING, *SMALL, "-q", "--save", file).status == 0
    ran = run(capsys, "replay", file)
    assert ran.status == 2
    assert "there is nothing to replay: the verdict is 'holds'" in ran.err


MENDED = ("updated = max(longs, self.old_max(task))", "updated = longs")
"""What crashes in the design, and something that does not."""


@pytest.fixture
def own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a design of a user beside the file of what was found in it."""
    design = tmp_path / "project" / "designs" / "own.py"
    design.parent.mkdir(parents=True)
    design.write_text(Path(inspect.getfile(find(CRASHING))).read_text())
    saved = design.parents[1] / "crash.json"
    named = f"{design}:{CRASHING}"
    assert run(capsys, "check", named, *SMALL, "-q", "--save", saved).status == 1
    return design


def test_a_saved_file_moves_with_its_design(
    capsys: pytest.CaptureFixture[str], own: Path, tmp_path: Path
) -> None:
    """A project that was moved is replayed; nothing in the file names where it was."""
    project = own.parents[1].rename(tmp_path / "moved")
    saved = json.loads((project / "crash.json").read_text())
    assert (saved["design"]["file"], saved["design"]["name"].rpartition(":")[0]) == (
        "designs/own.py",
        "designs/own.py",
    )
    assert run(capsys, "replay", project / "crash.json").status == 1


def test_a_design_that_moved_can_be_named(
    capsys: pytest.CaptureFixture[str], own: Path, tmp_path: Path
) -> None:
    """Where the design is no longer there the message names --design, which finds it."""
    saved = own.parents[1] / "crash.json"
    moved = own.rename(tmp_path / "elsewhere.py")
    ran = run(capsys, "replay", saved)
    assert ran.status == 2
    assert str(own) in ran.err
    assert run(capsys, "replay", saved, "--design", f"{moved}:{CRASHING}").status == 1


def test_a_repaired_design_has_a_status_of_its_own(
    capsys: pytest.CaptureFixture[str], own: Path
) -> None:
    """If the design changed, and the schedule ends without its violation, the status is 5."""
    saved = own.parents[1] / "crash.json"
    assert MENDED[0] in own.read_text()
    own.write_text(own.read_text().replace(*MENDED))
    ran = run(capsys, "replay", saved)
    assert (ran.status, ran.err) == (5, "")
    assert ran.out.startswith("REPAIRED, as far as this schedule tells: linux-060aa16f changed")
    assert "null pointer dereference" in ran.out
    answer = json.loads(run(capsys, "replay", saved, "--json").out)
    assert problems(answer, "repaired") == []


def test_a_schedule_on_another_design(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    """On a design in which the schedule is harmless, or cannot be followed, it is no violation."""
    ran = run(capsys, "replay", saved, "--design", HOLDING)
    assert ran.status in {2, 5}
    assert "BUG" not in ran.out
