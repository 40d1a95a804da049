"""Where things are in the drawings: columns of ports, and lanes of CPUs. Lengths are in pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.report.html.model import DrawnSchedule, PortColumn, ToldStep

_CHARACTER: Final = 7.2
"""Width of a character of the drawings' text, at most."""
_LEAST_MAP: Final = 520
_FOR_EACH_DOUBLING: Final = 6
"""By how much a column is wider if it has twice as many ports: no scale could show them all."""
_LABELS: Final = 118
_HEADER: Final = 86
_BEHIND: Final = 90
"""Room behind the map for what the I/O map base points to there."""


@dataclass(frozen=True)
class Box:
    """A column in a drawing."""

    x: int
    width: int
    label: str

    @property
    def middle(self) -> int:
        """The place of a text in its middle."""
        return self.x + self.width // 2


@dataclass(frozen=True)
class MapGeometry:
    """The columns of a map, and what is left and right of it."""

    boxes: tuple[Box, ...]
    header: Box
    """The 104 bytes of the TSS before the map."""
    end: int
    """Where the map ends: the byte of ones behind it begins."""
    width: int


def map_geometry(columns: Sequence[PortColumn]) -> MapGeometry:
    """Return where the columns of a map are."""
    wanted = [_wanted(column) for column in columns]
    stretch = max(1.0, _LEAST_MAP / sum(wanted))
    x = begin = _LABELS + _HEADER
    boxes = []
    for column, width in zip(columns, wanted, strict=True):
        boxes.append(Box(x, round(width * stretch), column.label))
        x += boxes[-1].width
    header = Box(_LABELS, begin - _LABELS, "")
    return MapGeometry(tuple(boxes), header, x, x + _BEHIND)


def _wanted(column: PortColumn) -> float:
    doublings = math.log2(column.last - column.first + 1)
    return max(_text_width(column.label), 34 + _FOR_EACH_DOUBLING * doublings)


def _text_width(text: str) -> int:
    return math.ceil(len(text) * _CHARACTER) + 10


@dataclass(frozen=True)
class LaneGeometry:
    """The columns of the lanes, one for each step."""

    boxes: tuple[Box, ...]
    left: int
    width: int


def lane_geometry(schedule: DrawnSchedule) -> LaneGeometry:
    """Return where the steps of the lanes are."""
    left, x = 56, 56
    boxes = []
    for step in schedule.steps:
        boxes.append(Box(x, _step_width(step), str(step.number)))
        x += boxes[-1].width
    return LaneGeometry(tuple(boxes), left, max(x, left + 200) + 6)


def _step_width(step: ToldStep) -> int:
    return max(70, *(_text_width(cell.text) for cell in step.lanes))
