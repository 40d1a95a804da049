"""User and group ids and capabilities of a task: what permission checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CAP_SYS_RAWIO: Final = 17
ALL_CAPABILITIES: Final = (1 << 41) - 1


@dataclass
class Credentials:
    """User and group ids, and capabilities as bit sets."""

    uid: int = 0
    euid: int = 0
    suid: int = 0
    gid: int = 0
    egid: int = 0
    sgid: int = 0
    groups: tuple[int, ...] = ()
    permitted: int = ALL_CAPABILITIES
    effective: int = ALL_CAPABILITIES
    inheritable: int = 0
    keep: bool = False
    """prctl(PR_SET_KEEPCAPS)."""

    @property
    def raw_io(self) -> bool:
        """Whether CAP_SYS_RAWIO is effective."""
        return bool(self.effective >> CAP_SYS_RAWIO & 1)

    @staticmethod
    def of_user(number: int) -> Credentials:
        """Return those of an ordinary user: all ids are `number`, no capabilities."""
        ids = (number,) * 3
        return Credentials(*ids, *ids, permitted=0, effective=0)
