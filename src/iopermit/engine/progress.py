"""How far a search is, of a design or of a kernel tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    states: int
    """States visited."""
    depth: int
    """Steps from the initial state."""
    frontier: int
    """States to go on from."""
    transitions: int
    seconds: float
    """Time since the search began."""
    memory: int
    """Bytes that the states take."""
    scenario: str = ""
    """The scenario, in words; may be empty."""


ProgressCallback = Callable[[Progress], None]
"""What a search calls now and then."""
