"""Tests of iopermit.scale.cluster: two local nodes of Ray find what threads find."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from ray.cluster_utils import Cluster
from tests.support.scale.searching import beyond, outcome, problem

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
_STORE = 80 << 20
"""Bytes of the object store of a node: about the least that Ray takes."""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Give two nodes on this machine, to which a search connects."""
    before = signal.getsignal(signal.SIGTERM)  # a node sets a handler for it
    nodes = Cluster()
    for _ in range(2):
        nodes.add_node(num_cpus=1, object_store_memory=_STORE, include_dashboard=False)
    signal.signal(signal.SIGTERM, before)
    yield nodes
    nodes.shutdown()


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
    """One of two nodes gone in the middle, the other goes on from the last checkpoint."""
    wanted = outcome(check_once(problem(*HOLDS)))
    nodes = [*cluster.list_all_nodes()]
    lost: list[float] = []
    advance = LevelLoop._end_level

    def loses_a_node(loop: LevelLoop) -> None:
        advance(loop)
        if loop._depth == 8 and not lost:
            lost.append(time.monotonic())
            thread = threading.Thread(
                target=cluster.remove_node, args=(nodes[-1],), kwargs={"allow_graceful": False}
            )
            thread.start()
            thread.join()

    monkeypatch.setattr(LevelLoop, "_end_level", loses_a_node)
    found = beyond(problem(*HOLDS), tmp_path / "search", every=0.0, cluster=cluster.address)
    assert lost
    assert outcome(found) == wanted
