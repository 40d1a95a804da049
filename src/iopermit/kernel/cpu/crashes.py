"""How kernel code can end otherwise than by returning."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class CrashKind(enum.Enum):
    """What a crash is, whatever its message says of addresses and sizes."""

    NULL_POINTER = enum.auto()
    USE_AFTER_FREE = enum.auto()
    OUT_OF_BOUNDS = enum.auto()
    NO_MEMORY = enum.auto()
    """An access where there is no memory."""
    DOUBLE_FREE = enum.auto()
    BAD_FREE = enum.auto()
    """kfree() of what is no object."""
    WARNING = enum.auto()
    """WARN(), BUG(), panic(), or a warning of `refcount_t`."""
    EXCEPTION = enum.auto()
    OUTSIDE = enum.auto()
    """A store outside the subsystem's objects."""


@dataclass(frozen=True)
class Crash:
    """The kernel would crash, or warn and go on with broken state.

    Attributes:
        kind: what it is.
        message: what happened, in one clause.
        address: of the instruction.
    """

    kind: CrashKind
    message: str
    address: int

    def is_same_as(self, other: Crash) -> bool:
        """Return whether two runs crash alike: other names of slots change the message only."""
        return (self.kind, self.address) == (other.kind, other.address)
