"""What ends a search beyond one memory early, and how to go on with it."""

from __future__ import annotations

from dataclasses import dataclass

from iopermit.engine.ending import Ending


@dataclass(frozen=True)
class DiskFull(Ending):
    """The system has no more space for files.

    Attributes:
        directory: where they are.
    """

    directory: str

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return f"there is no space left for {self.directory}"


@dataclass(frozen=True)
class DiskFailed(Ending):
    """The system cannot read or write files any more: a disk breaks, or a file server is gone.

    Attributes:
        directory: where they are.
        why: the system's words.
    """

    directory: str
    why: str

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return f"files in {self.directory} cannot be read or written any more: {self.why}"


@dataclass(frozen=True)
class Suspended(Ending):
    """A search that can go on from a checkpoint.

    Attributes:
        cause: what ended it.
        directory: where the checkpoint is.
    """

    cause: Ending
    directory: str

    @property
    def reason(self) -> str:
        """Why the search ended, and how to go on."""
        return (
            f"{self.cause.reason}; to go on, give the same command with --resume {self.directory}"
        )
