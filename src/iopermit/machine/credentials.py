"""User and group ids and capabilities of a task: what permission checks look at."""

from __future__ import annotations

import stat
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

    def may(self, wanted: int, mode: int, uid: int, gid: int) -> bool:
        """Return whether the mode of a file or directory lets a task use it.

        Root may read and write everything, and execute what anybody may execute; the rest is
        path_resolution(7), "Permissions".

        Args:
            wanted: bits of R_OK, W_OK, X_OK (4, 2, 1).
            mode: st_mode.
            uid: the owner.
            gid: the group.
        """
        if self.euid == 0:
            return not wanted & 1 or stat.S_ISDIR(mode) or bool(mode & 0o111)
        if self.euid == uid:
            granted = mode >> 6
        elif gid == self.egid or gid in self.groups:
            granted = mode >> 3
        else:
            granted = mode
        return wanted & ~granted == 0

    @staticmethod
    def of_user(number: int) -> Credentials:
        """Return those of an ordinary user: all ids are `number`, no capabilities."""
        ids = (number,) * 3
        return Credentials(*ids, *ids, permitted=0, effective=0)
