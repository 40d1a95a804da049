"""Owns all partitions by actors of Ray, one on each node, and lets them exchange successors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import ray
from ray.exceptions import (
    ActorUnschedulableError,
    GetTimeoutError,
    RayActorError,
    RayError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from iopermit.scale.cluster.batches import home_of
from iopermit.scale.cluster.worker import PartitionWorker, Status, versions
from iopermit.scale.counters import Counters, added, sum_of
from iopermit.scale.errors import OwnerLostError, ScaleError
from iopermit.scale.hidden_maps import note_hidden_state
from iopermit.scale.partitions import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from iopermit.scale.checkpoint.marks import PartitionMark
    from iopermit.scale.cluster.worker import Work
    from iopermit.scale.counters import Amounts
    from iopermit.scale.owners.looking_back import State
    from iopermit.search.exploration.memory import Words
    from iopermit.translate.native.jit import Compiled

_START_SECONDS: Final = 300.0
"""Time in which every actor has to have compiled the model."""


class ClusterOwner:
    """Asks actors to do what an owner does.

    Batches of successors go from actor to actor through Ray's object store; only what tells where
    they are goes through this process. After each round it waits until all are taken: so no actor
    gets more than it can take, and between rounds the states of all actors are a checkpoint.
    """

    def __init__(self, compiled: Compiled, work: Work) -> None:
        """Start an actor on each node that is alive.

        Raises:
            ScaleError: a node has another version, fewer CPUs than threads, or does not answer.
            OwnerLostError: a node was lost meanwhile.
        """
        self._compiled, self._base = compiled, Counters.none(compiled)
        nodes = _nodes(work.threads)
        actor: Any = ray.remote(num_cpus=work.threads, max_restarts=0)(PartitionWorker)
        self._actors: list[Any] = [
            actor.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
            ).remote()
            for node in nodes
        ]
        self._status: list[Status] = []
        begun = [
            actor.begin.remote(replace(work, number=number, owners=len(nodes)))
            for number, actor in enumerate(self._actors)
        ]
        try:
            self._require_versions(_got(begun, _START_SECONDS), versions(work.problem()))
        except BaseException:
            # Nobody has this owner yet, who could close it.
            self.close()
            raise

    def _require_versions(self, several: list[dict[str, str]], own: dict[str, str]) -> None:
        for number, found in enumerate(several):
            for what, version in own.items():
                if found.get(what) != version:
                    raise ScaleError(
                        f"node {number + 1} of the cluster has another {what}: {found.get(what)}, "
                        f"and this machine has {version}; install the same everywhere"
                    )

    # One phase after the other.

    def insert_initial(self, initial: Words) -> None:
        """Give the first state to every actor; the one that it belongs to takes it."""
        self._status = _got([actor.insert_initial.remote(initial) for actor in self._actors])

    def expand(self) -> bool:
        """Let every actor expand some portions, and deliver what they lead to."""
        return self._round("expand")

    def flush(self) -> None:
        """Deliver what is still in buffers."""
        self._round("flush")

    def settle(self) -> bool:
        """Let every actor settle a portion."""
        self._note([actor.settle.remote() for actor in self._actors])
        return any(status.more for status in self._status)

    def advance(self) -> None:
        """Begin the next level everywhere."""
        self._note([actor.advance.remote() for actor in self._actors])

    def _round(self, method: str) -> bool:
        """Call a method of every actor that returns batches; deliver each when it is there."""
        several = len(self._actors) + 1
        waiting = {}
        for number, actor in enumerate(self._actors):
            head, *batches = getattr(actor, method).options(num_returns=several).remote()
            waiting[head] = (number, batches)
        deliveries = []
        while waiting:
            (head,), _ = ray.wait(list(waiting), num_returns=1)
            number, batches = waiting.pop(head)
            (self._status[number],) = _got([head])
            deliveries += [
                actor.receive.remote(batch)
                for other, (actor, batch) in enumerate(zip(self._actors, batches, strict=True))
                if other != number
            ]
        _got(deliveries)
        self._note_hidden()
        return any(status.more for status in self._status)

    def _note(self, refs: list[Any]) -> None:
        self._status = _got(refs)
        self._note_hidden()

    def _note_hidden(self) -> None:
        for status in self._status:
            note_hidden_state(self._compiled, status.hidden)

    # How far they are.

    def amounts(self) -> Amounts:
        """Return how much all actors have."""
        return sum_of(status.amounts for status in self._status)

    def total(self) -> int:
        """Return how many states there are."""
        return sum(status.amounts.states for status in self._status)

    def frontier(self) -> int:
        """Return how many states the present level has."""
        return sum(status.amounts.frontier for status in self._status)

    def counters(self) -> Counters:
        """Return what was counted."""
        return added([self._base, *(status.counters for status in self._status)])

    def count_from(self, base: Counters) -> None:
        """Add what was counted before."""
        self._base = base

    def has_covered(self, first: int) -> bool:
        """Return whether anything was executed from a position of the coverage on."""
        return any(self.counters().covered[first:])

    def is_hidden_map_new(self) -> bool:
        """Return whether an actor met a hidden map that was not known, or that matters."""
        hidden = self._compiled.hidden
        return hidden is not None and hidden.failed

    def is_full(self) -> bool:
        """Return whether the memory of some node is used up."""
        return any(status.full for status in self._status)

    # Checkpoints, and paths.

    def save(self) -> list[PartitionMark]:
        """Let every actor write its files, which are on shared storage."""
        marks = _got([actor.save.remote() for actor in self._actors])
        return [mark for each in marks for mark in each]

    def saved(self) -> None:
        """Tell every actor that the checkpoint is complete."""
        _got([actor.saved.remote() for actor in self._actors])

    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Give every actor its part of a checkpoint, of however many actors it was."""
        own: list[list[PartitionMark]] = [[] for _ in self._actors]
        for mark in marks:
            own[home_of(mark.number, len(own))].append(mark)
        self._status = _got(
            [actor.restore.remote(each) for actor, each in zip(self._actors, own, strict=True)]
        )

    def least_violating(self, level: int, codes: Collection[int]) -> dict[int, State]:
        """Return the least violating states of a level."""
        found: dict[int, State] = {}
        refs = [actor.least_violating.remote(level, list(codes)) for actor in self._actors]
        for each in _got(refs):
            for code, state in each.items():
                found[code] = min(found.get(code, state), state)
        return found

    def least_predecessors(self, level: int, targets: Sequence[State]) -> list[State | None]:
        """Return the least states of a level that lead to others."""
        refs = [actor.least_predecessors.remote(level, list(targets)) for actor in self._actors]
        return [
            min((state for state in states if state is not None), default=None)
            for states in zip(*_got(refs), strict=True)
        ]

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            ray.kill(actor)


def _nodes(threads: int) -> list[str]:
    """Return the nodes that are alive, by their ids; no more than there are partitions.

    Raises:
        ScaleError: one has fewer CPUs than an actor needs.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]][:PARTITIONS]
    for node in nodes:
        there = int(node["Resources"].get("CPU", 0))
        if there < threads:
            raise ScaleError(
                f"the node {node['NodeManagerAddress']} of the cluster has {there} CPUs for Ray, "
                f"and --threads is {threads}"
            )
    return [node["NodeID"] for node in nodes]


def _got(refs: list[Any], seconds: float | None = None) -> list[Any]:
    """Return results, or raise what the call raised.

    Raises:
        OwnerLostError: an actor or its node is gone.
        ScaleError: there is no answer in time.
    """
    try:
        results: list[Any] = ray.get(refs, timeout=seconds)
    except (RayActorError, ActorUnschedulableError) as error:
        # An actor cannot be scheduled on a node that has gone since it was asked for.
        raise OwnerLostError(str(error).splitlines()[0]) from error
    except GetTimeoutError as error:
        raise ScaleError(
            f"the cluster did not start its work in {seconds:g} s; every node needs as many free "
            "CPUs as --threads"
        ) from error
    except RayError as error:
        cause = getattr(error, "cause", None)
        raise (cause if isinstance(cause, Exception) else error) from error
    return results
