"""What ioperm(2) and iopl(2) have to do: the rules of Linux, for one task after the other.

The error numbers and their order are those of the manual pages and of every kernel since 5.3; real
kernels agree (tests/machine compares programs on designs with Debian's kernel).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from iopermit.system.bitmap import PORTS

EPERM: Final = 1
ENOMEM: Final = 12
EINVAL: Final = 22
_LEVELS: Final = 3
_WORD: Final = (1 << 64) - 1
_INT: Final = (1 << 32) - 1


@dataclass
class ReferenceTask:
    """What a task was granted.

    Attributes:
        ports: a bit for each port that ioperm(2) opened.
        level: what iopl(2) set.
        privileged: whether it has CAP_SYS_RAWIO.
    """

    ports: int = 0
    level: int = 0
    privileged: bool = True

    @property
    def allowed(self) -> int:
        """A bit for each port that it may use."""
        return (1 << PORTS) - 1 if self.level == _LEVELS else self.ports

    def child(self) -> ReferenceTask:
        """Return a child: it inherits everything."""
        return ReferenceTask(self.ports, self.level, self.privileged)

    def ioperm(self, first: int, count: int, turn_on: int, *, locked: bool, fails: bool) -> int:
        """Return the error of a call, 0 if there is none, and take note of what it grants.

        Args:
            first: the first port, a 64-bit unsigned number.
            count: how many, another one.
            turn_on: a 64-bit register of which the call sees the lower half.
            locked: whether the kernel is locked down.
            fails: whether an allocation that the call makes fails.
        """
        end = (first + count) & _WORD
        if end <= first or end > PORTS:
            return EINVAL
        on = bool(turn_on & _INT)
        if on and (locked or not self.privileged):
            return EPERM
        if fails:
            return ENOMEM
        some = ((1 << count) - 1) << first
        self.ports = self.ports | some if on else self.ports & ~some
        return 0

    def iopl(self, level: int, *, locked: bool) -> int:
        """Return the error of a call, 0 if there is none, and take note of the level."""
        level &= _INT
        if level > _LEVELS:
            return EINVAL
        if level > self.level and (locked or not self.privileged):
            return EPERM
        self.level = level
        return 0
