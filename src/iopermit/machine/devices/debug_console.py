"""The debug console of Bochs and QEMU at port 0xE9: what is written to it is printed.

Bochs User Manual, "The configuration file", option port_e9_hack: reading returns 0xE9, by which
software finds out that the port is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.machine.devices.output import ByteSink

PORT = 0xE9


class DebugConsole:
    """A byte stream to the outside."""

    ports: tuple[range, ...] = (range(PORT, PORT + 1),)

    def __init__(self, sink: ByteSink | None) -> None:
        """Send bytes to `sink`, or drop them."""
        self._sink = sink

    def read(self, port: int, width: int) -> int:
        """Tell that the port is there."""
        return PORT

    def write(self, port: int, width: int, value: int) -> None:
        """Print a byte."""
        if self._sink is not None:
            self._sink.write(bytes((value,)))
