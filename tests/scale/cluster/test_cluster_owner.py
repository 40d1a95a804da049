"""Tests of iopermit.scale.cluster: two local nodes of Ray find what threads find, and survive."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run, start
from tests.support.scale.clusters import add_node, processes_of, two_nodes
from tests.support.scale.searching import beyond, outcome, problem

from iopermit.engine.limits import Limits
from iopermit.scale import attempts
from iopermit.scale.cluster.cluster_owner import ClusterOwner
from iopermit.scale.errors import ScaleError
from iopermit.scale.level_loop import LevelLoop
from iopermit.search.check import check_once
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

HOLDS = ("linux-6.16+preempt_off", Scenario(2, 2, 1, PLAIN_EVENTS))
LEAKS = ("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
THE_SAME = ("check", HOLDS[0], "--cpus", "2", "--tasks", "2", "--longs", "1", "--events", "plain")
KILLS = 10 if os.environ.get("IOPERMIT_CLUSTER") == "1" else 1
"""`make cluster` kills ten times, `make test` once: each time owners start anew."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Give two nodes on this machine, to which a search connects."""
    with two_nodes() as nodes:
        yield nodes


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search go on soon after a loss: these nodes tell it soon."""
    monkeypatch.setattr(attempts, "_SECONDS_AFTER_LOSS", 0.2)


def test_two_nodes_find_what_threads_find(cluster: Any, tmp_path: Path) -> None:  # noqa: ANN401 - Ray has no annotations here
    """Verdict, counts and coverage of two nodes are those of threads, in memory and on disk."""
    for (design, scenario), on_disk in ((HOLDS, False), (LEAKS, True)):
        of = problem(design, scenario)
        found = beyond(of, tmp_path / design, on_disk=on_disk, cluster=cluster.address)
        assert outcome(found) == outcome(check_once(of))


def test_a_lost_node_is_recovered_from(
    cluster: Any,  # noqa: ANN401 - as above
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of three nodes gone in the middle, the others go on from the last checkpoint."""
    third = add_node(cluster)
    lost: list[int] = []
    advance = LevelLoop._end_level

    def loses_a_node(loop: LevelLoop) -> None:
        advance(loop)
        if loop._depth == 5 and not lost:
            lost.append(loop._depth)
            thread = threading.Thread(
                target=cluster.remove_node, args=(third,), kwargs={"allow_graceful": False}
            )
            thread.start()
            thread.join()

    monkeypatch.setattr(LevelLoop, "_end_level", loses_a_node)
    found = beyond(problem(*LEAKS), tmp_path / "search", every=0.0, cluster=cluster.address)
    assert lost
    assert outcome(found) == outcome(check_once(problem(*LEAKS)))


def test_killed_workers_change_nothing(
    cluster: Any,  # noqa: ANN401 - as above
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Actors killed at random moments, the search goes on from its checkpoints to the same end."""
    killed: list[int] = []
    moments, start_owner = random.Random(11), ClusterOwner.__init__

    def end(process: int) -> None:
        # A fast search may have ended before.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def kill_one(owner: ClusterOwner, *arguments: Any) -> None:  # noqa: ANN401 - its arguments
        start_owner(owner, *arguments)
        if len(killed) < KILLS:
            process = moments.choice(processes_of(owner))
            killed.append(process)
            wait = moments.uniform(0.0, 0.3)
            threading.Timer(wait, end, (process,)).start()

    monkeypatch.setattr(ClusterOwner, "__init__", kill_one)
    found = beyond(problem(*LEAKS), tmp_path / "search", every=0.0, cluster=cluster.address)
    assert len(killed) == KILLS
    assert outcome(found) == outcome(check_once(problem(*LEAKS)))


@pytest.mark.parametrize("option", ["--checkpoint", "--disk"][: 1 if KILLS == 1 else 2])
def test_a_killed_search_comes_to_the_same_result(
    option: str,
    cluster: Any,  # noqa: ANN401 - as above
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The process that was started killed at random moments, the search resumes to the same end."""
    directory, moments, killed = tmp_path / "search", random.Random(7), 0
    on_cluster = (*THE_SAME, "--cluster", cluster.address)
    for _ in range(KILLS):
        resumed = written(directory) > 0
        killed += killed_after(
            moments.uniform(0.0, 0.5), directory, *on_cluster, "--resume" if resumed else option
        )
    # Now and then one of ten has come to its end before.
    assert killed >= max(1, KILLS // 2)
    found = run(capsys, *on_cluster, "--resume", directory, "--json")
    wanted = run(capsys, *THE_SAME, "--json")
    assert found.status == wanted.status == 0
    assert counts(found.out) == counts(wanted.out)


def killed_after(seconds: float, directory: Path, *command: str) -> bool:
    """Search in a process that is killed some time after its first checkpoint; was it killed?"""
    before = written(directory)
    process = start(*command, directory, "--every", "0.05s", "--quiet")
    while written(directory) == before and process.poll() is None:
        time.sleep(0.02)
    time.sleep(seconds)
    process.kill()
    _, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err
    return process.returncode == -signal.SIGKILL


def written(directory: Path) -> int:
    """Return when the checkpoint of a directory was written, in nanoseconds; 0: there is none."""
    file = directory / "checkpoint.json"
    return file.stat().st_mtime_ns if file.exists() else 0


def counts(printed: str) -> tuple[object, ...]:
    """Return what of a verdict must not depend on how it was found."""
    verdict = json.loads(printed)
    search = verdict["search"]
    of_search = (search[name] for name in ("states", "transitions", "depth", "exhausted"))
    return (verdict["verdict"], verdict["uncovered"], *of_search)


def test_a_limit_that_is_too_small_is_told(cluster: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """What a node cannot do is told with its reason, and not taken for a lost node."""
    of = problem(*LEAKS, Limits(max_memory=1 << 20))
    with pytest.raises(ScaleError, match=r"a search on disk needs .* raise --max-memory"):
        beyond(of, tmp_path / "search", on_disk=True, cluster=cluster.address)


def test_a_node_with_too_few_cpus_is_told(cluster: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """More threads than a node has CPUs could never start, and are refused at once."""
    with pytest.raises(ScaleError, match=r"the node .* has 1 CPUs for Ray, and --threads is 2"):
        beyond(problem(*LEAKS, threads=2), tmp_path / "search", cluster=cluster.address)
