"""Tests of checkpoints after a power cut: what was synced is enough, whatever else is lost."""

from __future__ import annotations

import random
import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.scale.power_cut import LOSSES, Disk, Image, RandomLoss, lay_out
from tests.support.scale.searching import beyond, outcome, problem
from tests.support.scale.traced_calls import FileCall, traced

from iopermit.scale.errors import CheckpointError
from iopermit.search.check import check_once
from iopermit.system.events import Event
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DESIGN: Final = "linux-2.6.8"
"""Its search begins three times anew, each time in another folder."""
SCENARIO: Final = Scenario(1, 2, 1, PLAIN_EVENTS - {Event.PREEMPT})
BOUNDS: Final = ("--cpus=1", "--tasks=2", "--longs=1", "--events=plain", "--without=preempt")
OFTEN: Final = ("--every", "0s", "--quiet")
WAYS: Final = {
    "memory": (["--checkpoint"], ["--resume"]),
    "disk": (["--disk"], ["--resume"]),
    "memory, then disk": (["--checkpoint"], ["--disk", "--resume"]),
}
SAMPLE: Final = 10
"""Moments behind the first checkpoint at which the power is cut."""


def recorded(way: str, folder: Path) -> list[FileCall]:
    """Search up to a limit, then to the end; return what both did to files."""
    folder.mkdir()
    command = [sys.executable, "-m", "iopermit", "check", DESIGN, *BOUNDS, *OFTEN]
    first, second = (
        [word for option in options for word in (option, str(folder / "search"))]
        for options in WAYS[way]
    )
    stopped = traced([*command, *first, "--max-states", "700"], folder, status=3)
    return stopped + traced([*command, *second], folder, status=0)


def is_new_manifest(call: FileCall) -> bool:
    """Return whether a call puts a manifest where the last one was."""
    return call.target is not None and call.target.name == "checkpoint.json"


def sampled(calls: list[FileCall], sample: int | None) -> set[int]:
    """Return the numbers of some calls, half of them of those that change names; or of all."""
    every, drawn = range(len(calls)), random.Random(3)
    if sample is None:
        return set(every)
    names = [n for n in every if calls[n].kind in ("rename", "remove", "mkdir")]
    return {*drawn.sample(names, sample // 2), *drawn.sample(every, sample // 2)}


def moments(calls: list[FileCall], sample: int | None) -> Iterator[tuple[Disk, int, bool]]:
    """Yield the disk, the number of calls so far, and whether a checkpoint is complete.

    Args:
        calls: what was done.
        sample: how many moments behind the first checkpoint are chosen; None: all.
    """
    directory, renamed, complete = calls[0].path, False, False
    disk, chosen = Disk(directory.parent), sampled(calls, sample)
    for number, call in enumerate(calls):
        disk.do(call)
        renamed |= is_new_manifest(call)
        first = renamed and not complete
        complete |= renamed and call.kind == "sync" and call.path == directory
        if first or number in chosen or (call.kind in ("mkdir", "sync") and not renamed):
            yield disk, number, complete


def images(calls: list[FileCall], sample: int | None) -> Iterator[tuple[str, Image, bool]]:
    """Yield what may be left, each time something else, and whether a checkpoint was complete."""
    seen = set()
    for disk, number, complete in moments(calls, sample):
        for loss in (*LOSSES, RandomLoss(number)):
            image = disk.image(loss)
            key = hash((complete, frozenset(image.items())))
            if key not in seen:
                seen.add(key)
                yield f"after {number + 1} calls, left is {loss.name}", image, complete


def refusal(directory: Path, *, on_disk: bool, wanted: tuple[object, ...]) -> str | None:
    """Go on from what is left, to the same result; return why that is refused, if it is."""
    try:
        found = beyond(problem(DESIGN, SCENARIO), directory, resumed=True, on_disk=on_disk)
    except CheckpointError as error:
        return str(error)
    assert outcome(found) == wanted
    return None


@pytest.mark.parametrize("way", WAYS)
def test_a_power_cut_leaves_a_checkpoint(way: str, tmp_path: Path) -> None:
    """Whatever of what was not synced is lost, from the first checkpoint on the result is the same.

    Before it, one message says that there is none, and the search can begin there.
    """
    calls = recorded(way, tmp_path / "live")
    wanted = outcome(check_once(problem(DESIGN, SCENARIO)))
    left, answers, on_disk = tmp_path / "left", set(), way != "memory"
    for name, image, complete in images(calls, SAMPLE):
        lay_out(image, left)
        refused = refusal(left / "search", on_disk=on_disk, wanted=wanted)
        answers.add((complete, refused is None))
        if refused is not None:
            assert not complete, f"{name}: {refused}"
            assert re.fullmatch(r"there is no (checkpoint in|directory) [^\n]*", refused)
            begun = beyond(problem(DESIGN, SCENARIO), left / "search", on_disk=on_disk)
            assert outcome(begun) == wanted
        shutil.rmtree(left)
    assert answers >= {(True, True), (False, False)}
