"""What goes wrong with searches beyond one memory, other than what any search may meet."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ScaleError(Exception):
    """What was asked for cannot be done; ``str()`` says why, and what to do."""


class CheckpointError(ScaleError):
    """A checkpoint cannot be used: damaged, of something else, or in use."""


class OwnerLostError(Exception):
    """A process or a machine that owned partitions is gone; ``str()`` says which."""


@contextlib.contextmanager
def refused_by_system(directory: Path) -> Iterator[None]:
    """Say in one message that the system does not let files be made in a directory.

    Raises:
        ScaleError: it does not; the message says why, and what to do.
    """
    try:
        yield
    except OSError as error:
        raise ScaleError(
            f"cannot make files in {directory}: {error.strerror or error}; make room there, or "
            "name another directory"
        ) from error
