"""The port for power-on self-test codes, 0x80, which Linux writes to for a delay.

IBM Personal Computer AT Technical Reference (1984): "manufacturing test" port, and a page
register of the DMA controller that no channel uses, so that the value can be read back.
"""

from __future__ import annotations

PORT = 0x80


class PostCode:
    """One byte of memory."""

    ports: tuple[range, ...] = (range(PORT, PORT + 1),)

    def __init__(self) -> None:
        """Start with code 0."""
        self.code = 0
        """The code written last."""

    def read(self, port: int, width: int) -> int:
        """Return the code written last."""
        return self.code

    def write(self, port: int, width: int, value: int) -> None:
        """Take a code."""
        self.code = value
