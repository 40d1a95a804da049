"""How states are divided into partitions by their hash: the same however a search is executed."""

from __future__ import annotations

from typing import Final

from iopermit.search.exploration.loops import home

PARTITIONS: Final = 64
"""Hash partitions of every search. They are few enough for a file each, and enough that what one
level adds to a partition fits into memory: a thousandth of a terabyte is a gigabyte."""


def partition_of(value: int) -> int:
    """Return the partition that a hash belongs to."""
    return home(value, PARTITIONS)
