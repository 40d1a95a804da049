"""Numbers what tasks were granted, so that the state holds a small number for it."""

from __future__ import annotations

from iopermit.system.bitmap import PORTS, PortRange
from iopermit.system.execution import Grants

_MAXIMUM_LEVEL = 3


class GrantTable:
    """Every combination of ports and IOPL that some task was granted; number 0 is nothing."""

    def __init__(self) -> None:
        """Start with nothing granted."""
        self._numbers: dict[tuple[int, int], int] = {(0, 0): 0}
        self._known: list[tuple[int, int]] = [(0, 0)]
        self._grants: dict[int, Grants] = {}

    def _number(self, ports: int, level: int) -> int:
        key = ports, level
        if key not in self._numbers:
            self._numbers[key] = len(self._known)
            self._known.append(key)
        return self._numbers[key]

    def change(self, number: int, ports: PortRange, turn_on: bool) -> int:  # noqa: FBT001 - as Grants
        """Return the number after a successful ioperm()."""
        mask, level = self._known[number]
        some = ((1 << ports.count) - 1) << ports.first
        return self._number(mask | some if turn_on else mask & ~some, level)

    def set_level(self, number: int, level: int) -> int:
        """Return the number after a successful iopl()."""
        return self._number(self._known[number][0], level)

    def key(self, number: int) -> tuple[int, int]:
        """Return ports as a mask, and the level: equal in every table."""
        return self._known[number]

    def grants(self, number: int) -> Grants:
        """Return what a number stands for, as the specification has it."""
        if number not in self._grants:
            mask, level = self._known[number]
            grants = Grants()
            bits = mask.to_bytes(PORTS // 8, "little")
            for port in range(PORTS):
                if bits[port >> 3] >> (port & 7) & 1:
                    grants.ports[port] = True
            grants.iopl = level
            self._grants[number] = grants
        return self._grants[number]
