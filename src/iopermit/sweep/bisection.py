"""Finds in a row of revisions where the verdict changes, with few of them judged.

First a grid is judged, of as many parts as the logarithm of the number of revisions. Wherever two
neighbours have different verdicts, the middle is judged, again and again, until the two are next to
each other. For n revisions and c changes that is at most 2 + (1 + c) * log2(n) jobs, if all have a
verdict. A change that is taken back between two points of the grid is not seen: `unsearched()`
names such gaps.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Change:
    """A verdict that changes in a row of revisions.

    Attributes:
        before: the verdict before.
        after: the verdict afterwards.
        last_before: the last place known to have the verdict before.
        first_after: the first place known to have the verdict afterwards. If there are places in
            between, none of them has a verdict, or none was judged.
    """

    before: str
    after: str
    last_before: int
    first_after: int


def grid(count: int) -> list[int]:
    """Return the places that are judged first, of so many."""
    if count <= 1:
        return list(range(count))
    parts = min(count - 1, math.ceil(math.log2(count)))
    return sorted({round(part * (count - 1) / parts) for part in range(parts + 1)})


def next_places(known: Mapping[int, str | None], count: int) -> list[int]:
    """Return the places that are to be judged now; none if all changes are found.

    Args:
        known: the verdicts so far.
        count: how many places there are.
    """
    missing = [place for place in grid(count) if place not in known]
    if missing:
        return missing
    wanted = []
    for change in changes(known):
        open_places = [
            p for p in range(change.last_before + 1, change.first_after) if p not in known
        ]
        if open_places:
            # One that has no verdict is passed over: the nearest to the middle is next.
            middle = (change.last_before + change.first_after) / 2
            wanted.append(min(open_places, key=lambda place: abs(place - middle)))
    return wanted


def changes(known: Mapping[int, str | None]) -> list[Change]:
    """Return the changes between neighbours among the places that have a verdict."""
    return [
        Change(before, after, one, other)
        for (one, before), (other, after) in itertools.pairwise(_decided(known))
        if before != after
    ]


def unsearched(known: Mapping[int, str | None]) -> list[tuple[int, int]]:
    """Return pairs of places with equal verdicts between which a place was not judged."""
    return [
        (one, other)
        for (one, before), (other, after) in itertools.pairwise(_decided(known))
        if before == after and any(place not in known for place in range(one + 1, other))
    ]


def _decided(known: Mapping[int, str | None]) -> list[tuple[int, str]]:
    return [(place, verdict) for place, verdict in sorted(known.items()) if verdict is not None]
