"""How a search beyond one memory is to be executed, and who keeps its states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.scale.owners.disk_owner import DiskOwner
from iopermit.scale.owners.engine_owner import EngineOwner
from iopermit.scale.owners.memory_owner import MemoryOwner
from iopermit.scale.partitions import PARTITIONS
from iopermit.search.exploration.design_search import default_memory

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from iopermit.scale.owners.interface import LevelOwner
    from iopermit.scale.owners.owner import Owner
    from iopermit.translate.native.jit import Compiled

EVERY: Final = 60.0
"""Seconds between two checkpoints, if nothing else is asked for."""


@dataclass(frozen=True)
class Plan:
    """Where checkpoints are written, how often, and where states are kept."""

    directory: Path
    """For checkpoints, and for states that are kept on disk."""
    resumed: bool = False
    """Whether to go on from the checkpoint that is there."""
    on_disk: bool = False
    """Whether states are kept in files only."""
    every: float = EVERY
    """Seconds between two checkpoints."""
    cluster: str | None = None
    """The address of the Ray cluster whose nodes own the partitions; None: this process does."""

    def whole(
        self, compiled: Compiled, threads: int, memory: int | None, files: Path
    ) -> LevelOwner:
        """Return an owner of all partitions in this process. Arguments and errors as `owner()`."""
        if self.on_disk or PARTITIONS % threads:
            return self.owner(compiled, threads, memory, files)
        return EngineOwner(compiled, threads, memory or default_memory(), files)

    def owner(
        self,
        compiled: Compiled,
        threads: int,
        memory: int | None,
        files: Path,
        numbers: Collection[int] = range(PARTITIONS),
    ) -> Owner:
        """Return an owner of partitions in this process.

        Args:
            compiled: the model.
            threads: how many work for it.
            memory: bytes that it may use; None: what a search may use by default.
            files: the directory for its files.
            numbers: those of the partitions.

        Raises:
            ScaleError: that is too little memory.
            OSError: its files cannot be made.
        """
        kind = DiskOwner if self.on_disk else MemoryOwner
        return kind(compiled, numbers, threads, memory or default_memory(), files)
