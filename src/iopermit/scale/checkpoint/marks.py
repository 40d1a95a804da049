"""How far an owner of partitions is, as a checkpoint has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileMark:
    """How much of a file counts."""

    name: str
    first: int
    """The first state that counts."""
    count: int
    """The state behind the last one that counts."""
    checksum: int
    """CRC-32 of these states."""


@dataclass(frozen=True)
class PartitionMark:
    """How far a partition is."""

    number: int
    states: FileMark
    levels: tuple[int, ...]
    """Number of states at the end of each level."""
    following: int
    """Number of the state that is to be expanded next."""
    spilled: FileMark | None = None
    """States that lead on from the present level, and may be known already."""
