"""What is counted in a search, by each owner of partitions, and added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from iopermit.translate.native.shared.labels import VERDICT_SPAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iopermit.translate.native.jit import Compiled


@dataclass(frozen=True)
class Counters:
    """What was counted in expanding states."""

    transitions: int
    totals: tuple[int, ...]
    """Violating states, by the number of their kind and of the statement to blame."""
    covered: bytes
    """What was executed: a byte for each step, rule and assumed field."""

    @classmethod
    def none(cls, compiled: Compiled) -> Counters:
        """Return those of a search that has expanded nothing."""
        codes = VERDICT_SPAN * (len(compiled.model.sites) + 1)
        return cls(0, (0,) * codes, bytes(compiled.coverage.size))


def added(several: Sequence[Counters]) -> Counters:
    """Return the sum of one or more."""
    totals = np.array([each.totals for each in several], np.uint64).sum(axis=0)
    covered = [np.frombuffer(each.covered, np.uint8) for each in several]
    return Counters(
        sum(each.transitions for each in several),
        tuple(totals.tolist()),
        np.maximum.reduce(covered).tobytes(),
    )


@dataclass(frozen=True)
class Amounts:
    """How much an owner has, and how much went through files."""

    states: int
    frontier: int
    """States of the present level."""
    memory: int
    """Bytes of memory."""
    spilled: int = 0
    """Bytes of successors that were written to files."""
    read: int = 0
    """Bytes that were read from files."""


def sum_of(several: Iterable[Amounts]) -> Amounts:
    """Return the sum."""
    every = list(several)
    return Amounts(
        sum(each.states for each in every),
        sum(each.frontier for each in every),
        sum(each.memory for each in every),
        sum(each.spilled for each in every),
        sum(each.read for each in every),
    )
