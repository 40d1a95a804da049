"""Executes jobs on the nodes of a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import ray
from ray.exceptions import (
    GetTimeoutError,
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from iopermit.scale.cluster.connection import connected
from iopermit.scale.errors import ScaleError
from iopermit.sweep.errors import SweepError
from iopermit.sweep.execution.executor import ProcessExecutor
from iopermit.sweep.execution.needs import Needs, needs_of, unmet
from iopermit.sweep.execution.process import ProcessEnd, run_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.sweep.jobs import Job

_POLL: Final = 0.2
"""Seconds between two looks whether a job was stopped."""
_GRACE: Final = 30.0
"""Seconds in which the process of a job that was stopped has to be ended."""
_ATTEMPTS: Final = 3
"""How often a job is begun whose worker was lost each time."""
_ANSWER_SECONDS: Final = 300.0
"""Time in which a node has to tell what it has; reading a kernel tree takes seconds."""
_LOST: Final = (WorkerCrashedError, NodeDiedError, OutOfMemoryError)
"""The worker that had a job is gone: killed, with its node, or by Ray for want of memory."""


@contextlib.contextmanager
def cluster(address: str, jobs: int | None, most: int) -> Iterator[int]:
    """Be connected to a cluster while the block runs; give how many jobs it takes at once.

    Args:
        address: ``auto`` for a cluster of this machine alone, or HOST:PORT.
        jobs: how many were asked for; None: one for each CPU.
        most: how many there are at most.

    Raises:
        SweepError: there is no cluster, it has another version of Ray or Python, or no CPU.
    """
    try:
        with connected(address, jobs or os.cpu_count() or 1):
            there = int(ray.cluster_resources().get("CPU", 0))
            if not there:
                raise SweepError(f"the cluster at {address} has no CPU; start nodes that have some")
            yield jobs or min(there, most)
    except ScaleError as error:
        raise SweepError(str(error)) from error


def require_needs(needs: Needs) -> None:
    """Refuse a cluster of which a node lacks what jobs need.

    Raises:
        SweepError: it names each node, and what it lacks or has another version of.
    """
    lacking = []
    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = ray.remote(num_cpus=0, max_retries=0)(unmet)
    answers = [
        asked.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(needs)
        for node in nodes
    ]
    for node, answer in zip(nodes, answers, strict=True):
        if found := _answered(answer):
            lacking.append(f"the node {node['NodeManagerAddress']} has {', '.join(found)}")
    if lacking:
        raise SweepError(
            f"{'; '.join(lacking)}; every node needs the same iopermit, and the same files under "
            "the same paths: put them on storage that all nodes share"
        )


def _answered(answer: Any) -> list[str]:  # noqa: ANN401 - Ray has no annotations here
    """Return what a node lacks, also if it cannot tell."""
    try:
        found: list[str] = ray.get(answer, timeout=_ANSWER_SECONDS)
    except GetTimeoutError:
        return [f"no answer within {_ANSWER_SECONDS:g} s"]
    except RayError as error:
        return [f"no iopermit that can answer ({_reason(error)})"]
    return found


class ClusterExecutor(ProcessExecutor):
    """Executes jobs, each in a process of its own on some node with a free CPU."""

    def end_of(
        self, job: Job, arguments: Sequence[str], seconds: float | None
    ) -> ProcessEnd | None:
        """Run `iopermit check` on a node; again if its worker is lost.

        Raises:
            SweepError: the worker was lost each time, or the node lacks what the job needs.
        """
        # Ray's own repetition has no end for want of memory.
        remote = ray.remote(num_cpus=1, max_retries=0)(_run_on_node)
        needs, lost = needs_of([job]), ""
        for _ in range(_ATTEMPTS):
            try:
                return self._awaited(remote.remote(needs, list(arguments), seconds))
            except _LOST as error:
                lost = _reason(error)
            except RayError as error:
                raise SweepError(f"the cluster could not execute it: {_reason(error)}") from error
        raise SweepError(f"its worker on the cluster was lost {_ATTEMPTS} times, at last: {lost}")

    def _awaited(self, answer: Any) -> ProcessEnd | None:  # noqa: ANN401 - as above
        """Wait for a job; end it if it was stopped. Raises what Ray raises."""
        while self.goes_on:
            if ray.wait([answer], timeout=_POLL)[0]:
                end: ProcessEnd | None = ray.get(answer)
                return end
        ray.cancel(answer)
        with contextlib.suppress(RayError):
            ray.get(answer, timeout=_GRACE)
        return None


def _run_on_node(needs: Needs, arguments: list[str], seconds: float | None) -> ProcessEnd | None:
    """Run `iopermit check` on the node that this is; being cancelled ends it.

    Raises:
        SweepError: the node lacks what the job needs.
    """
    if lacking := unmet(needs):
        raise SweepError(f"the node {ray.util.get_node_ip_address()} has {', '.join(lacking)}")
    # A worker that is killed ends nothing any more.
    bound = [sys.executable, "-P", "-m", "iopermit.sweep.execution.bound", str(os.getpid())]
    command = [*bound, sys.executable, "-P", "-m", "iopermit", *arguments]
    return run_process(command, seconds, lambda: True)


def _reason(error: RayError) -> str:
    """Return what went wrong on one line: Ray says more, and with addresses of its processes."""
    cause = getattr(error, "cause", None) if isinstance(error, RayTaskError) else None
    lines = str(error if cause is None else cause).splitlines()
    return lines[0] if lines else type(error).__name__
