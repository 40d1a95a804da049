"""How far a search is that keeps its states in files: what goes through them, too."""

from __future__ import annotations

from dataclasses import dataclass

from iopermit.engine.progress import Progress


@dataclass(frozen=True)
class ProgressOfFiles(Progress):
    """How far a search is, with what was written to files and read from them."""

    spilled: int = 0
    """Bytes of successors that were written to files."""
    read: int = 0
    """Bytes that were read from files."""
    own_seconds: float = 0.0
    """Time since this process began, which is when these bytes begin to count."""
