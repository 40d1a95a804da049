"""Where devices send bytes."""

from __future__ import annotations

from typing import Protocol


class ByteSink(Protocol):
    """A binary file, or anything that bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""
