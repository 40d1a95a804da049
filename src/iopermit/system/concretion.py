"""Which real ports the few longs of a scenario stand for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

from iopermit.system.bitmap import PORTS, Geometry, PortRange
from iopermit.system.machine_state import TssLayout

NO_PORTS: Final = PortRange(0, 0)
"""The invalid range that scenarios include: ioperm(0, 0, 1) is refused with EINVAL."""

_FULL_MAP: Final = (0x80, 0x3F8, 0xCF8, 0x5658, 0x8000, 0xB000, 0xC000)
"""POST codes, COM1, PCI configuration, VMware's backdoor; then the ranges of PCI devices."""
_ISA_MAP: Final = (0x80, 0x170, 0x1F0, 0x278, 0x2F8, 0x378, 0x3C0)
"""POST codes, second and first ATA channel, LPT2, COM2, LPT1, VGA: all below port 0x400."""


@dataclass(frozen=True)
class Concretion:
    """The longs of a scenario as real longs and ports.

    Attributes:
        geometry: the real longs that each scenario long stands for.
        ports: for each scenario long the ports that stand for it alone.
    """

    geometry: Geometry
    ports: tuple[PortRange, ...]

    def ports_of(self, first: int, end: int) -> PortRange:
        """Return the ports of ioperm's range from scenario long `first` up to before `end`.

        The range of all longs is the whole map; an empty one is invalid.
        """
        if (first, end) == (0, self.geometry.longs):
            return PortRange(0, self.geometry.ports)
        if first >= end:
            return NO_PORTS
        low, high = self.ports[first], self.ports[end - 1]
        return PortRange(low.first, high.first + high.count - low.first)


def exact(layout: TssLayout, longs: int) -> Concretion:
    """Let all but the last scenario long stand for one real long, the last for all others.

    Every port of a long is in the range or none is, so that full-size state corresponds one to
    one to the state of the search. The first block is a single long, because a search for the
    last allowed port that never gives less than one long gives one real long. (A single scenario
    long stands for all real ones: there the search takes such a one long for the whole map.)
    """
    real = layout.map_ports // layout.long_bits
    geometry = layout.geometry((*range(longs), real))
    bits = layout.long_bits
    pairs = itertools.pairwise(geometry.boundaries)
    return Concretion(geometry, tuple(PortRange(a * bits, (b - a) * bits) for a, b in pairs))


def readable(layout: TssLayout, longs: int) -> Concretion:
    """Let well-known single ports stand for the longs: 0x80 first, the map's last port last.

    The blocks of longs end behind the long of each port. A schedule of the search need not
    lead to the same verdict here: ports of a block other than the chosen one can be left over
    when the whole map was granted and only the chosen port is revoked. Where there are more longs
    than known ports, the first ports of the lowest longs without one stand for the others.
    """
    bits, last = layout.long_bits, layout.map_ports - 1
    known = (_FULL_MAP if layout.map_ports == PORTS else _ISA_MAP)[: longs - 1]
    taken = {port // bits for port in (*known, last)}
    free = (first * bits for first in range(last // bits) if first not in taken)
    ports = (*sorted((*known, *itertools.islice(free, longs - 1 - len(known)))), last)
    real = layout.map_ports // bits
    geometry = layout.geometry((0, *(port // bits + 1 for port in ports[:-1]), real))
    return Concretion(geometry, tuple(PortRange(port, 1) for port in ports))
