"""Tests of checkpoints: killed, stopped by a limit, Ctrl-C or a full disk, a search goes on."""

from __future__ import annotations

import errno
import itertools
import os
import random
import resource
import shutil
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.scale.searching import beyond, outcome, problem

from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.scale import level_loop
from iopermit.scale.errors import CheckpointError
from iopermit.scale.owners import engine_owner
from iopermit.scale.states.state_file import StateFile
from iopermit.search.check import check_once
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from iopermit.engine.progress import Progress
    from iopermit.engine.verdict import Verdict

HOLDS = ("linux-6.16+preempt_off", Scenario(2, 2, 1, PLAIN_EVENTS))
LEAKS = ("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
KILLS = 10


def killed_after(seconds: float, directory: Path, *, on_disk: bool, resumed: bool) -> bool:
    """Search in another process, which is killed after a time; return whether it was."""
    child = os.fork()
    if not child:
        try:
            of = problem(*HOLDS)
            beyond(of, directory, on_disk=on_disk, resumed=resumed, every=0.02)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_a_killed_search_comes_to_the_same_result(on_disk: bool, tmp_path: Path) -> None:
    """Killed at ten random moments, a search resumes each time, and ends with the same result."""
    directory, killed, moments = tmp_path / "search", 0, random.Random(7)
    begun = time.monotonic()
    beyond(problem(*HOLDS), tmp_path / "whole", on_disk=on_disk, every=0.02)
    whole = time.monotonic() - begun
    for _ in range(4 * KILLS):
        resumed = (directory / "checkpoint.json").exists()
        # A share of what it takes here, or a fast machine ends it before.
        moment = whole * moments.uniform(0.1, 0.7)
        if killed_after(moment, directory, on_disk=on_disk, resumed=resumed):
            killed += 1
        else:
            # It ended before, as it was compiled and the machine is less busy: begin again.
            shutil.rmtree(directory)
            whole /= 1.5
        if killed == KILLS:
            break
    assert killed == KILLS
    resumed = (directory / "checkpoint.json").exists()
    found = beyond(problem(*HOLDS), directory, on_disk=on_disk, resumed=resumed)
    assert outcome(found) == outcome(check_once(problem(*HOLDS)))


@pytest.mark.parametrize(("design", "scenario"), [HOLDS, LEAKS], ids=["holds", "leak"])
@pytest.mark.parametrize(
    "modes", [(False,), (True,), (False, True)], ids=["memory", "disk", "both"]
)
def test_limits_end_it_again_and_again(
    design: str, scenario: Scenario, modes: tuple[bool, ...], tmp_path: Path
) -> None:
    """A search that a limit ends goes on from there; one begun in memory may go on on disk."""
    wanted = check_once(problem(design, scenario))
    directory, verdict, most = tmp_path / "search", None, 0
    while verdict is None or verdict.verdict == "undetermined":
        most += wanted.search.states // 4 + 1
        of = problem(design, scenario, Limits(max_states=most))
        on_disk = modes[0] if verdict is None else modes[-1]
        resumed = verdict is not None
        verdict = beyond(of, directory, on_disk=on_disk, resumed=resumed)
        assert most < 3 * wanted.search.states
    assert most > wanted.search.states // 2
    assert outcome(verdict) == outcome(wanted)


def test_another_number_of_threads_goes_on_from_it(tmp_path: Path) -> None:
    """Stopped in the middle of levels, a search goes on with any number of threads, or on disk."""
    wanted, directory = check_once(problem(*HOLDS)), tmp_path / "search"
    ways = [(1, False), (2, False), (3, False), (4, False), (1, False), (2, True), (1, True)]
    for turn, (threads, on_disk) in enumerate(ways):
        last = turn == len(ways) - 1
        most = None if last else (turn + 2) * wanted.search.states // 9
        of = problem(*HOLDS, Limits(max_states=most), threads=threads)
        found = beyond(of, directory, on_disk=on_disk, resumed=turn > 0)
        assert last or found.verdict == "undetermined"
    assert outcome(found) == outcome(wanted)


def test_a_finished_search_is_told_again(tmp_path: Path) -> None:
    """From the last checkpoint of a search its result comes again, without searching."""
    first = beyond(problem(*LEAKS), tmp_path / "search")
    again = beyond(problem(*LEAKS), tmp_path / "search", resumed=True)
    assert outcome(again) == outcome(first)
    assert again.trace == first.trace


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_an_interrupted_search_says_how_to_go_on(
    on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C writes a checkpoint, and the verdict says with which option it is gone on from."""
    monkeypatch.setattr(level_loop, "_PROGRESS_SECONDS", -1.0)

    def interrupt(progress: Progress) -> None:
        if progress.depth == 9:
            signal.raise_signal(signal.SIGINT)

    directory = tmp_path / "search"
    of = replace(problem(*HOLDS), control=Control(progress=interrupt))
    stopped = beyond(of, directory, on_disk=on_disk)
    assert stopped.verdict == "undetermined"
    assert stopped.reason == (
        f"interrupted; to go on, give the same command with --resume {directory}"
    )
    assert stopped.search.depth >= 9
    found = beyond(problem(*HOLDS), directory, resumed=True)
    assert outcome(found) == outcome(check_once(problem(*HOLDS)))


def test_a_full_disk_leaves_the_verdict_open(tmp_path: Path) -> None:
    """Where a file can grow no more the search is undetermined, and goes on when there is room."""
    of = problem("linux-6.16+preempt_off", Scenario(2, 2, 2, ALL_EVENTS))
    directory = tmp_path / "search"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What a file may have then: more than the manifest, less than a partition needs in the end.
    resource.setrlimit(resource.RLIMIT_FSIZE, (110_000, before[1]))
    try:
        full = beyond(of, directory, on_disk=True, every=0.05)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.verdict == "undetermined"
    assert full.reason.startswith(f"there is no space left for {directory}; to go on")
    assert outcome(beyond(of, directory, resumed=True)) == outcome(check_once(of))


def test_a_disk_that_is_full_from_the_start_has_no_checkpoint(tmp_path: Path) -> None:
    """Where not even the first checkpoint fits, nothing is said of going on from one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        full = beyond(problem(*LEAKS), tmp_path / "search", on_disk=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.verdict == "undetermined"
    assert full.reason == f"there is no space left for {tmp_path / 'search'}"


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_broken_disk_leaves_the_verdict_open(
    on_disk: bool, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files cannot be written any more, the search goes on from the last checkpoint."""
    append, calls = StateFile.append, itertools.count()

    def breaking(file: StateFile, states: NDArray[np.uint64]) -> None:
        if next(calls) > 1000:
            raise OSError(number, os.strerror(number))
        append(file, states)

    directory, of = tmp_path / "search", problem(*HOLDS)
    with monkeypatch.context() as patched:
        patched.setattr(StateFile, "append", breaking)
        patched.setattr(level_loop, "_PROGRESS_SECONDS", -1.0)
        broken = beyond(of, directory, on_disk=on_disk, every=0.0)
    assert broken.verdict == "undetermined"
    assert broken.reason.startswith(
        f"files in {directory} cannot be read or written any more: {os.strerror(number)}; to go on"
    )
    assert outcome(beyond(of, directory, resumed=True)) == outcome(check_once(of))


def test_too_little_memory_leaves_the_verdict_open(tmp_path: Path) -> None:
    """A search in memory that reaches its limit goes on on disk."""
    directory = tmp_path / "search"
    of = problem(*HOLDS, Limits(max_memory=1 << 20))
    full = beyond(of, directory)
    assert full.reason.startswith("the memory limit was reached; to go on")
    found = beyond(problem(*HOLDS), directory, resumed=True, on_disk=True)
    assert outcome(found) == outcome(check_once(problem(*HOLDS)))


def test_a_checkpoint_that_does_not_fit_into_memory_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumed with less memory than its states need, a search has no verdict, and goes on later."""
    directory = tmp_path / "search"
    beyond(problem(*HOLDS, Limits(max_states=20_000)), directory)
    with monkeypatch.context() as patched:
        patched.setattr(engine_owner, "BUFFER", 0)
        small = problem(*HOLDS, Limits(max_memory=1 << 18))
        full = beyond(small, directory, resumed=True)
    assert full.reason.startswith("the memory limit was reached; to go on")
    found = beyond(problem(*HOLDS), directory, resumed=True)
    assert outcome(found) == outcome(check_once(problem(*HOLDS)))


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Give the checkpoint of a search that a limit ended."""
    of = problem(*HOLDS, Limits(max_states=20_000))
    assert beyond(of, tmp_path / "search", on_disk=True).verdict == "undetermined"
    return tmp_path / "search"


def resumed(directory: Path, design: str = HOLDS[0], scenario: Scenario = HOLDS[1]) -> Verdict:
    """Go on from a checkpoint."""
    return beyond(problem(design, scenario), directory, resumed=True)


def largest(directory: Path) -> Path:
    """Return the largest file of states."""
    return max(directory.glob("attempt-*/*.states"), key=lambda file: file.stat().st_size)


def test_a_corrupted_file_is_refused(stopped: Path) -> None:
    """One bit of one state changed, the checkpoint is refused, and the file is named."""
    file = largest(stopped)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{file.name} is corrupted"):
        resumed(stopped)


def test_a_truncated_file_is_refused(stopped: Path) -> None:
    """A file that has lost its end is refused by name."""
    file = largest(stopped)
    os.truncate(file, file.stat().st_size - 8)
    with pytest.raises(CheckpointError, match=rf"{file.name} is truncated"):
        resumed(stopped)


def test_a_missing_file_is_refused(stopped: Path) -> None:
    """A file that is gone counts as truncated: it has none of its bytes."""
    file = largest(stopped)
    file.unlink()
    with pytest.raises(CheckpointError, match=rf"{file.name} is truncated: 0 of"):
        resumed(stopped)


def test_a_damaged_manifest_is_refused(stopped: Path) -> None:
    """A manifest that was changed, cut off or made something else is refused."""
    file = stopped / "checkpoint.json"
    text = file.read_text()
    for damaged in (
        text.replace('"on_disk": true', '"on_disk": false'),
        text[: len(text) // 2],
        "",
        "[]",
    ):
        assert damaged != text
        file.write_text(damaged)
        with pytest.raises(CheckpointError, match=r"checkpoint\.json is"):
            resumed(stopped)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="it is no text"):
        resumed(stopped)


def test_another_format_is_refused(stopped: Path) -> None:
    """A manifest of a later format is refused, and says which format is read."""
    file = stopped / "checkpoint.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(CheckpointError, match=r"has format 2 of checkpoints.* reads format 1"):
        resumed(stopped)


def test_a_foreign_checkpoint_is_refused(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of another design, scenario, set of events or version is refused by name."""
    foreign = {
        "another design: linux-6.16.preempt_off": ("linux-5.4", HOLDS[1]),
        "another scenario: 2 CPUs, 2 tasks, 1 long": (HOLDS[0], Scenario(1, 2, 1, PLAIN_EVENTS)),
        "another set of events": (HOLDS[0], Scenario(2, 2, 1, ALL_EVENTS)),
    }
    for message, (design, scenario) in foreign.items():
        with pytest.raises(CheckpointError, match=message):
            resumed(stopped, design, scenario)
    monkeypatch.setattr("iopermit.__version__", "99.0")
    with pytest.raises(CheckpointError, match=r"another version of iopermit: .*, .* has 99\.0"):
        resumed(stopped)


def test_nothing_is_overwritten(stopped: Path) -> None:
    """Beginning anew where a checkpoint is would lose it, and is refused."""
    with pytest.raises(CheckpointError, match="has a checkpoint already"):
        beyond(problem(*HOLDS), stopped)


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    """An empty directory, and one that does not exist, are refused."""
    with pytest.raises(CheckpointError, match="there is no checkpoint in"):
        resumed(tmp_path)
    with pytest.raises(CheckpointError, match="there is no directory"):
        resumed(tmp_path / "nowhere")
