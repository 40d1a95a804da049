"""Tests of iopermit.sweep.execution.cluster: jobs on nodes, lost workers, what nodes lack."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import HOLDING
from tests.support.sweep.made_jobs import SCENARIO, design_job, tree_job
from tests.support.sweep.processes import parent, wait_for_none, wait_for_some

from iopermit.scale.errors import ScaleError
from iopermit.sweep.database import JobResult
from iopermit.sweep.errors import SweepError
from iopermit.sweep.execution import cluster as module
from iopermit.sweep.execution.cluster import ClusterExecutor, cluster, require_needs
from iopermit.sweep.execution.local import LocalExecutor
from iopermit.sweep.execution.needs import needs_of
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iopermit.sweep.jobs import Job


@pytest.fixture(scope="module", autouse=True)
def _connected() -> Iterator[None]:
    """Start one cluster of this machine for all tests here."""
    with cluster("auto", 1, 256):
        yield


def holding(seed: int) -> Job:
    """Return a small job with a number on its command line that no other process has."""
    smallest = Scenario(1, 1, 1, SCENARIO.events)
    job = replace(design_job(HOLDING), scenario=smallest)
    return replace(job, limits=replace(job.limits, max_states=seed))


def in_background(executor: ClusterExecutor, job: Job) -> tuple[threading.Thread, list[object]]:
    """Execute a job in a thread; its result is appended to the list."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(executor.execute(job)))
    thread.start()
    return thread, results


def without_times(result: object) -> JobResult:
    """Return a result as it would be if it had taken no time."""
    assert isinstance(result, JobResult)
    assert result.verdict is not None
    for name in ("seconds", "compile_seconds"):
        result.verdict["search"].pop(name, None)
    return replace(result, seconds=0.0, finished="")


def test_a_job_on_a_node_has_the_result_of_one_here() -> None:
    """Verdict, states, command and all that `check --json` says are the same."""
    job = holding(1_000_001)
    assert without_times(ClusterExecutor({}).execute(job)) == without_times(
        LocalExecutor({}).execute(job)
    )


def with_a_lost_worker(states: int) -> JobResult:
    """Kill the first worker of a job, which its limit of states tells from others; return its end.

    No process of it is left then.
    """
    thread, results = in_background(ClusterExecutor({}), holding(states))
    (process, *_) = wait_for_some(str(states))
    os.kill(parent(process), signal.SIGKILL)
    thread.join()
    (result,) = results
    assert isinstance(result, JobResult)
    wait_for_none(str(states))
    return result


def test_the_job_of_a_lost_worker_is_done_again() -> None:
    """A worker that is killed takes its process with it, and another one does the job."""
    assert with_a_lost_worker(1_000_002).outcome == "holds"


def test_the_job_of_workers_that_are_lost_each_time_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When no attempt is left the job is a failed one, and says that its worker was lost."""
    monkeypatch.setattr(module, "_ATTEMPTS", 1)
    result = with_a_lost_worker(1_000_003)
    assert result.outcome == "failed"
    assert result.message.startswith("its worker on the cluster was lost 1 times, at last: ")


def test_a_job_that_is_stopped_has_no_result_and_no_process() -> None:
    """Stopping ends the process on the node; nothing is kept of it, and no other one begins."""
    executor = ClusterExecutor({})
    thread, results = in_background(executor, replace(holding(1_000_004), scenario=SCENARIO))
    wait_for_some("1000004")
    executor.stop()
    thread.join()
    wait_for_none("1000004", seconds=1.0)
    assert [*results, executor.execute(holding(1_000_004))] == [None, None]


def test_a_node_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    """Before any job one message names the node, what it lacks, and the remedy."""
    gone = tmp_path / "gone"
    needs = needs_of([design_job(HOLDING), tree_job("gone", gone)])
    message = rf"the node [\d.]+ has .*no {gone}; every node needs .* storage that all nodes share"
    with pytest.raises(SweepError, match=message):
        require_needs(needs)
    require_needs(needs_of([design_job(HOLDING)]))


def test_a_job_whose_node_lacks_a_file_fails(tmp_path: Path) -> None:
    """On a node that came later a job without its files is a failed one that says so."""
    result = ClusterExecutor({}).execute(tree_job("gone", tmp_path / "gone"))
    assert result is not None
    assert result.outcome == "failed"
    assert f"no {tmp_path / 'gone'}" in result.message


def test_a_cluster_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where no cluster is ends with a message, not with a traceback."""
    monkeypatch.setattr(module, "connected", _nobody)
    with pytest.raises(SweepError, match="nobody at far:6379"), cluster("far:6379", None, 256):
        pass


def _nobody(address: str, _: int) -> None:
    raise ScaleError(f"nobody at {address}")
