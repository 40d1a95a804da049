"""Locks on partitions: while a lost owner still writes its files, no other one opens them.

An owner that is given up can live on for a moment: a kill takes its time, and a node that cannot be
reached may still reach the shared storage. What it wrote late would overwrite what the next owner
of its partitions wrote.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from iopermit.scale.errors import ScaleError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE: Final = "owners.lock"
_PATIENCE: Final = 60.0
"""Seconds in which a lost owner has to be gone."""
_POLL: Final = 0.05


class PartitionLocks:
    """Has one byte of a file locked for each partition; the system gives them back at the end.

    They are locks of POSIX, which also hold between machines that share storage by NFS.
    """

    def __init__(self, directory: Path, numbers: Iterable[int]) -> None:
        """Wait until nobody else has one of these partitions.

        Raises:
            ScaleError: somebody keeps one.
            OSError: the file cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(directory / _FILE, flags, 0o600)
        until = time.monotonic() + _PATIENCE
        for number in numbers:
            while not self._has_locked(number):
                if time.monotonic() > until:
                    raise ScaleError(
                        f"another process still writes partition {number} in {directory}; end it, "
                        "then go on with --resume"
                    )
                time.sleep(_POLL)

    def _has_locked(self, number: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        return True
