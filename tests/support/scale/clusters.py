"""Clusters of Ray on this machine for tests, which see quickly that a node is gone."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any, Final

import ray
from ray.cluster_utils import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.scale.cluster.cluster_owner import ClusterOwner

_STORE: Final = 80 << 20
"""Bytes of the object store of a node: about the least that Ray takes."""
_HEALTH: Final = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 200,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
"""By default Ray asks a node five times, every three seconds, before it takes it for lost."""
_NODE: Final[dict[str, Any]] = {
    "num_cpus": 1,
    "object_store_memory": _STORE,
    "include_dashboard": False,
}


@contextlib.contextmanager
def two_nodes() -> Iterator[Any]:
    """Give a cluster of two nodes with one CPU each, to which nothing is connected."""
    before = signal.getsignal(signal.SIGTERM)  # a node sets a handler for it
    nodes = Cluster()
    nodes.add_node(**_NODE, _system_config=_HEALTH)
    nodes.add_node(**_NODE)
    signal.signal(signal.SIGTERM, before)
    try:
        yield nodes
    finally:
        nodes.shutdown()


def add_node(nodes: Any) -> Any:  # noqa: ANN401 - Ray has no annotations here
    """Add a node like the others, and return it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        return nodes.add_node(**_NODE)
    finally:
        signal.signal(signal.SIGTERM, before)


def processes_of(owner: ClusterOwner) -> list[int]:
    """Return the processes of the actors of an owner."""
    asked = [actor.__ray_call__.remote(lambda _: os.getpid()) for actor in owner._actors]
    found: list[int] = ray.get(asked)
    return found
