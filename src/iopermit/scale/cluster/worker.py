"""The owner of some partitions on one machine, as the others and the level loop call it."""

from __future__ import annotations

import inspect
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import llvmlite
import numpy as np

import iopermit
from iopermit import scale
from iopermit.designs import designs
from iopermit.engine.control import Control
from iopermit.scale.checkpoint.identity import identity_of
from iopermit.scale.cluster.batches import Batch, Outbox, home_of, unpacked
from iopermit.scale.cluster.partition_locks import PartitionLocks
from iopermit.scale.hidden_maps import hidden_state, tell_known_maps
from iopermit.scale.partitions import PARTITIONS
from iopermit.search.compilation import compiled, translated
from iopermit.search.problem import Problem, Settings
from iopermit.translate.analyses.assumptions import assumptions
from iopermit.translate.frontend.load import load_design
from iopermit.translate.native.code_cache import hash_of_sources

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from iopermit.scale.checkpoint.manifest import SearchAttempt
    from iopermit.scale.checkpoint.marks import PartitionMark
    from iopermit.scale.counters import Amounts, Counters
    from iopermit.scale.owners.looking_back import State
    from iopermit.scale.owners.owner import Owner
    from iopermit.scale.plan import Plan
    from iopermit.search.exploration.memory import Words
    from iopermit.system.scenario import Scenario
    from iopermit.translate.analyses.reductions import Reductions

_PORTIONS: Final = 8
"""Portions that are expanded before what they lead to is sent."""


@dataclass(frozen=True)
class Work:
    """What an owner works on, in a form that can be sent to another machine."""

    design: str
    """The id of the design, or FILE:CLASS."""
    options: tuple[str, ...]
    scenario: Scenario
    reductions: Reductions
    threads: int
    assumed: tuple[int, ...]
    known_maps: bytes
    plan: Plan
    memory: int | None
    files: Path
    number: int = 0
    """Which owner it is."""
    owners: int = 1
    """How many there are."""

    def problem(self) -> Problem:
        """Return the problem, translated from the design's own source on this machine."""
        settings = Settings(self.reductions, self.threads)
        design = load_design(self.design, self.options)
        return Problem(design, self.scenario, settings, Control())


def work_of(problem: Problem, attempt: SearchAttempt, plan: Plan, files: Path) -> Work:
    """Return the work of an attempt."""
    design = problem.design
    known = designs().get(design.id)
    name = design.id if known is design else f"{inspect.getfile(design)}:{design.__name__}"
    return Work(
        name,
        tuple(name for name in design.options if getattr(design, name)),
        problem.scenario,
        problem.settings.reductions,
        problem.settings.threads,
        attempt.assumed,
        attempt.known_maps,
        plan,
        problem.control.limits.max_memory,
        files,
    )


@dataclass(frozen=True)
class Status:
    """How far an owner is."""

    more: bool
    """Whether there is more to do in this phase."""
    amounts: Amounts
    counters: Counters
    full: bool
    hidden: bytes
    """Which hidden maps it has met, and whether one is new or matters."""


def versions(problem: Problem) -> dict[str, str]:
    """Return what has to be the same on every machine, by name."""
    return {
        **identity_of(problem),
        "code of the search": hash_of_sources(Path(scale.__file__).parent),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "llvmlite": llvmlite.__version__,
        "iopermit": iopermit.__version__,
    }


class PartitionWorker:
    """Owns every partition whose number belongs to it, and hands on what belongs to others."""

    def begin(self, work: Work) -> dict[str, str]:
        """Translate and compile the model; return what has to be the same on every machine.

        It is no constructor: of what goes wrong in that of an actor Ray tells only that it died.

        Raises:
            ScaleError: the memory limit is too low, or a lost owner still has its partitions.
            OSError: its files cannot be made.
        """
        problem = work.problem()
        source = translated(problem)
        every = assumptions(source.model)
        native = compiled(source, tuple(every[number] for number in work.assumed))
        tell_known_maps(native, work.known_maps)
        numbers = [n for n in range(PARTITIONS) if home_of(n, work.owners) == work.number]
        self._compiled, self._outbox = native, Outbox(work.owners)
        self._locks = PartitionLocks(work.files, numbers)
        self.owner: Owner = work.plan.owner(native, work.threads, work.memory, work.files, numbers)
        self.owner.send = self._outbox.add
        return versions(problem)

    def insert_initial(self, initial: Words) -> Status:
        """Take the first state, if it belongs here, and begin the first level."""
        self.owner.insert_initial(initial)
        return self._status(more=False)

    def expand(self) -> tuple[Status | Batch | None, ...]:
        """Expand some portions; return the status, and what goes to each owner."""
        more = True
        for _ in range(_PORTIONS):
            more = self.owner.expand()
            if not more or self.owner.is_hidden_map_new() or self.owner.is_full():
                break
        return (self._status(more=more), *self._outbox.taken())

    def flush(self) -> tuple[Status | Batch | None, ...]:
        """Empty all buffers; return the status, and what goes to each owner."""
        self.owner.flush()
        return (self._status(more=False), *self._outbox.taken())

    def receive(self, batch: Batch | None) -> None:
        """Take what another owner sent."""
        if batch is not None:
            for partition, states in unpacked(batch, self.owner.words):
                self.owner.receive(partition, states)

    def settle(self) -> Status:
        """Settle a portion of what was taken."""
        return self._status(more=self.owner.settle())

    def advance(self) -> Status:
        """Begin the next level."""
        self.owner.advance()
        return self._status(more=True)

    def save(self) -> list[PartitionMark]:
        """Write what is not yet on the disk."""
        return self.owner.save()

    def saved(self) -> None:
        """Take note that the checkpoint is complete."""
        self.owner.saved()

    def restore(self, marks: Sequence[PartitionMark]) -> Status:
        """Take those states of a checkpoint that belong here."""
        self.owner.restore([mark for mark in marks if mark.number in self.owner.positions])
        return self._status(more=True)

    def least_violating(self, level: int, codes: Collection[int]) -> dict[int, State]:
        """Return the least violating states of a level."""
        return self.owner.least_violating(level, codes)

    def least_predecessors(self, level: int, targets: Sequence[State]) -> list[State | None]:
        """Return the least states of a level that lead to others."""
        return self.owner.least_predecessors(level, targets)

    def _status(self, *, more: bool) -> Status:
        owner = self.owner
        hidden = hidden_state(self._compiled)
        return Status(more, owner.amounts(), owner.counters(), owner.is_full(), hidden)
