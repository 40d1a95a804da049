"""Virtual time: it depends on what was executed, never on the host's clock."""

from __future__ import annotations

from typing import Final

SECOND: Final = 1_000_000_000
"""Nanoseconds."""

EPOCH: Final = 1_767_225_600 * SECOND
"""When the machine starts: 2026-01-01 00:00:00 UTC."""

INSTRUCTION: Final = 1
"""Nanoseconds that an instruction takes, if instructions are counted."""
KERNEL_ENTRY: Final = 1_000
"""Nanoseconds that a system call, a port access or a fault takes."""


class Clock:
    """The time of the machine, in nanoseconds."""

    def __init__(self) -> None:
        """Start at zero."""
        self.monotonic = 0

    @property
    def realtime(self) -> int:
        """Nanoseconds since 1970."""
        return EPOCH + self.monotonic

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.monotonic += nanoseconds

    def wait_until(self, moment: int) -> None:
        """Let time pass until `moment` (monotonic), unless it is over."""
        self.monotonic = max(self.monotonic, moment)
