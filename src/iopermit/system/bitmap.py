"""Port bitmaps at full size, and how the longs of a scenario map to real longs and ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32] | NDArray[np.uint64]

PORTS = 65536
"""Number of I/O ports of the architecture."""


@dataclass(frozen=True)
class PortRange:
    """The range argument of ioperm(2): ``count`` ports from ``first`` on (unsigned longs in C)."""

    first: int
    count: int

    def is_valid(self, ports: int = PORTS) -> bool:
        """Return whether the range is not empty, does not wrap and ends within ``ports``."""
        end = (self.first + self.count) % (1 << 64)
        return end > self.first and end <= ports


@dataclass(frozen=True)
class Geometry:
    """How the few longs of a scenario stand for the real longs of a map.

    ``boundaries`` are real long indices: scenario long ``i`` stands for the real longs from
    ``boundaries[i]`` up to ``boundaries[i + 1]``, which are copied in one step when a bitmap
    is copied long by long. ``long_bits`` is the number of ports in a real long (32 or 64).
    """

    boundaries: tuple[int, ...]
    long_bits: int

    @property
    def longs(self) -> int:
        """Number of longs of the scenario."""
        return len(self.boundaries) - 1

    @property
    def real_longs(self) -> int:
        """Number of real longs of the map."""
        return self.boundaries[-1]

    @property
    def ports(self) -> int:
        """Number of ports that the map covers."""
        return self.real_longs * self.long_bits

    def blocks(self, real_longs: int) -> Iterator[slice]:
        """Yield the slices of real longs that the first ``real_longs`` are handled in."""
        for low, high in zip(self.boundaries, self.boundaries[1:], strict=False):
            if low >= real_longs:
                return
            yield slice(low, min(high, real_longs))

    def scenario_longs(self, real_longs: int) -> int:
        """Return how many scenario longs the first ``real_longs`` real longs touch."""
        return sum(1 for _ in self.blocks(real_longs))


class Bitmap:
    """A map of ports, one bit each: clear = allowed, set = denied, as the processor has it."""

    def __init__(self, geometry: Geometry, words: Words | None = None) -> None:
        """Make a bitmap over ``words`` (own memory if None), every port allowed as in fresh memory."""
        self.geometry = geometry
        dtype = np.uint64 if geometry.long_bits == 64 else np.uint32  # noqa: PLR2004 - bits in a long
        self.words: Words = np.zeros(geometry.real_longs, dtype) if words is None else words
        self._ones = dtype(np.iinfo(dtype).max)

    # Operations of the design language. Each has a twin that stops before every block.

    def copy_from(self, source: Bitmap, longs: int) -> None:
        """Copy the first ``longs`` longs of ``source`` into this map."""
        self.words[:longs] = source.words[:longs]

    def copy_from_steps(self, source: Bitmap, longs: int) -> Iterator[None]:
        """Do :meth:`copy_from`, yielding before each block."""
        for block in self.geometry.blocks(longs):
            yield
            self.words[block] = source.words[block]

    def fill(self, longs: int | None = None) -> None:
        """Deny the ports of the first ``longs`` longs (all if None)."""
        self.words[:longs] = self._ones

    def fill_steps(self, longs: int | None = None) -> Iterator[None]:
        """Do :meth:`fill`, yielding before each block."""
        for block in self.geometry.blocks(len(self.words) if longs is None else longs):
            yield
            self.words[block] = self._ones

    def change(self, ports: PortRange, turn_on: bool) -> None:  # noqa: FBT001 - ioperm's own argument order
        """Allow (``turn_on``) or deny the ports of ``ports``: what ioperm does to a map."""
        for block in self.geometry.blocks(len(self.words)):
            self._change_block(ports, turn_on, block)

    def change_steps(self, ports: PortRange, turn_on: bool) -> Iterator[None]:  # noqa: FBT001 - as change()
        """Do :meth:`change`, yielding before each block."""
        for block in self.geometry.blocks(len(self.words)):
            yield
            self._change_block(ports, turn_on, block)

    def extent(self) -> int:
        """Return the number of longs up to the last one with an allowed port; 0 if there is none."""
        open_longs = np.flatnonzero(self.words != self._ones)
        return int(open_longs[-1]) + 1 if open_longs.size else 0

    def extent_steps(self) -> Iterator[None]:
        """Do :meth:`extent`, yielding before each block; the generator returns the result."""
        last = 0
        for block in self.geometry.blocks(len(self.words)):
            yield
            open_longs = np.flatnonzero(self.words[block] != self._ones)
            if open_longs.size:
                last = block.start + int(open_longs[-1]) + 1
        return last  # type: ignore[return-value]  # the value of `yield from`

    # What the specification and the reports ask.

    def allowed(self) -> NDArray[np.bool_]:
        """Return for each port of the map whether its bit is clear."""
        return np.unpackbits(self.words.view(np.uint8), bitorder="little") == 0

    def _change_block(self, ports: PortRange, turn_on: bool, block: slice) -> None:  # noqa: FBT001 - as change()
        bits = self.geometry.long_bits
        low = max(ports.first, block.start * bits)
        high = min(ports.first + ports.count, block.stop * bits)
        if low >= high:
            return
        octets = self.words[block].view(np.uint8)
        flags = np.unpackbits(octets, bitorder="little")
        flags[low - block.start * bits : high - block.start * bits] = 0 if turn_on else 1
        octets[:] = np.packbits(flags, bitorder="little")
