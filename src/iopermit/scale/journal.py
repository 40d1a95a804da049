"""Writes the checkpoints of one attempt, when they are due."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from iopermit.scale.checkpoint.manifest import Manifest, SearchAttempt, SearchPosition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.scale.checkpoint.directory import CheckpointDirectory
    from iopermit.scale.owners.interface import LevelOwner
    from iopermit.scale.plan import Plan


class Journal:
    """Where and how often the checkpoints of an attempt are written."""

    def __init__(
        self,
        directory: CheckpointDirectory,
        identity: Mapping[str, str],
        attempt: SearchAttempt,
        plan: Plan,
    ) -> None:
        """Write as often as the plan says, but for those that are asked for."""
        self.directory, self._identity, self.attempt = directory, identity, attempt
        self._on_disk, self._every = plan.on_disk, plan.every
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last one is old enough."""
        return time.monotonic() - self._written >= self._every

    def write(self, owner: LevelOwner, position: SearchPosition) -> None:
        """Write a checkpoint. What the owner still has in buffers must be flushed.

        Raises:
            OSError: the disk is full, or broken. The last checkpoint still counts.
        """
        marks = tuple(owner.save())
        manifest = Manifest(self._identity, self._on_disk, self.attempt, position, marks)
        self.directory.write(manifest)
        owner.saved()
        self._written = time.monotonic()

    def begin(self, owner: LevelOwner, position: SearchPosition) -> None:
        """Write the first checkpoint of an attempt, and remove what belongs to others.

        All files of the owner have to be there. Raises OSError as `write()`.
        """
        self.directory.sync_names(self.attempt.number)
        self.write(owner, position)
        self.directory.forget_but(self.attempt.number)
