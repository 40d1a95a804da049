"""The figures with which every search ends, of a design or of a kernel tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.engine.ending import Ending


@dataclass
class SearchResult:
    """What a search ends with."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    memory: int = 0
    """Bytes that the states take."""
    ending: Ending | None = None
    """What ended it early, if anything did."""
