"""What is told about files and directories, of the host or of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import os


Entry: TypeAlias = tuple[str, int, int]
"""What a directory has: a name, an inode number, and the type bits of the mode."""


@dataclass
class FileStatus:
    """What stat(2) tells; times in nanoseconds."""

    mode: int
    inode: int = 1
    device: int = 0
    special: int = 0
    links: int = 1
    uid: int = 0
    gid: int = 0
    size: int = 0
    blocks: int = 0
    accessed: int = 0
    modified: int = 0
    changed: int = 0

    @staticmethod
    def of(status: os.stat_result) -> FileStatus:
        """Return the status of a host file."""
        return FileStatus(
            status.st_mode,
            status.st_ino,
            status.st_dev,
            status.st_rdev,
            status.st_nlink,
            status.st_uid,
            status.st_gid,
            status.st_size,
            status.st_blocks,
            status.st_atime_ns,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
