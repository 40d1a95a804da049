"""What the level loop asks of whoever owns the partitions: one process, or a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from iopermit.scale.checkpoint.marks import PartitionMark
    from iopermit.scale.counters import Amounts, Counters
    from iopermit.scale.owners.looking_back import State
    from iopermit.search.exploration.memory import Words


class LevelOwner(Protocol):
    """Owns all partitions; see :class:`iopermit.scale.owners.owner.Owner` for its methods."""

    def insert_initial(self, initial: Words) -> None:
        """Take the first state of all, and begin the first level."""

    def expand(self) -> bool:
        """Expand a portion of the present level; False: all of it is expanded."""

    def flush(self) -> None:
        """Hand on all successors that still are in buffers."""

    def settle(self) -> bool:
        """Do a portion of what makes states of those that were taken; False: nothing is left."""

    def advance(self) -> None:
        """Begin the next level."""

    def total(self) -> int:
        """Return how many states there are."""

    def frontier(self) -> int:
        """Return how many states the present level has."""

    def amounts(self) -> Amounts:
        """Return how much there is."""

    def counters(self) -> Counters:
        """Return what was counted."""

    def count_from(self, base: Counters) -> None:
        """Add what was counted before this owner was there."""

    def has_covered(self, first: int) -> bool:
        """Return whether anything of what `Counters.covered` tells was executed, from there on."""

    def is_hidden_map_new(self) -> bool:
        """Return whether a hidden map was met that was not known, or that matters."""

    def is_full(self) -> bool:
        """Return whether the memory that may be used is used up."""

    def save(self) -> list[PartitionMark]:
        """Write what is not yet on the disk; return how far every partition is."""

    def saved(self) -> None:
        """Take note that a checkpoint of what `save()` returned is complete."""

    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Take the states of a checkpoint."""

    def least_violating(self, level: int, codes: Collection[int]) -> dict[int, State]:
        """Return the least state of a level for each of some kinds and statements, if any."""

    def least_predecessors(self, level: int, targets: Sequence[State]) -> list[State | None]:
        """Return for each state the least one of a level that leads to it, if any."""

    def close(self) -> None:
        """End what works for it."""
