"""Port bitmaps at full size, and how the longs of a scenario map to real longs and ports."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from iopermit.arch.lazy import np
from iopermit.system.crash import OutOfRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

Words: TypeAlias = "NDArray[np.unsignedinteger[Any]]"
"""The longs of a map, each 32 or 64 bits wide."""

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
        """Make a bitmap over ``words`` (own memory if None), every port allowed."""
        self.geometry = geometry
        wide = geometry.long_bits == 64  # noqa: PLR2004 - bits in a long
        dtype: type[np.unsignedinteger[Any]] = np.uint64 if wide else np.uint32
        self.words: Words = np.zeros(geometry.real_longs, dtype) if words is None else words
        self._ones = dtype(np.iinfo(dtype).max)

    # Operations of the design language. Each has a twin that stops before every block.

    def copy_from(self, source: Bitmap, longs: int | None = None) -> None:
        """Copy the first `longs` longs of `source` (all if None) into this map."""
        for _ in self.copy_from_steps(source, longs):
            pass

    def copy_from_steps(
        self, source: Bitmap, longs: int | None = None
    ) -> Generator[None, None, None]:
        """Do `copy_from`, yielding before each block."""
        for block in self._blocks(longs):
            yield
            self.words[block] = source.words[block]

    def fill(self, longs: int | None = None) -> None:
        """Deny the ports of the first `longs` longs (all if None)."""
        for _ in self.fill_steps(longs):
            pass

    def fill_steps(self, longs: int | None = None) -> Generator[None, None, None]:
        """Do `fill`, yielding before each block."""
        for block in self._blocks(longs):
            yield
            self.words[block] = self._ones

    def change(self, ports: PortRange, turn_on: bool) -> None:
        """Allow (`turn_on`) or deny the ports of `ports`: what ioperm does to a map."""
        for _ in self.change_steps(ports, turn_on):
            pass

    def change_steps(self, ports: PortRange, turn_on: bool) -> Generator[None, None, None]:
        """Do `change`, yielding before each block."""
        for block in self._blocks(None):
            yield
            self._change_block(ports, turn_on, block)

    def extent(self, at_least: int = 0) -> int:
        """Return the number of longs up to the last one with an allowed port.

        If there is none, or fewer, the result is `at_least`.
        """
        steps = self.extent_steps(at_least)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return int(stop.value)

    def extent_steps(self, at_least: int = 0) -> Generator[None, None, int]:
        """Do `extent`, yielding before each block; the generator returns the result."""
        last = at_least
        for block in self._blocks(None):
            yield
            open_longs = np.flatnonzero(self.words[block] != self._ones)
            if open_longs.size:
                last = max(last, block.start + int(open_longs[-1]) + 1)
        return last

    # What the specification and the reports ask.

    def allowed(self) -> NDArray[np.bool_]:
        """Return for each port of the map whether its bit is clear."""
        bits = np.unpackbits(self.words.view(np.uint8), bitorder="little")
        return np.equal(bits, 0)

    def _blocks(self, longs: int | None) -> Iterator[slice]:
        """Return the blocks of the first `longs` longs. Raises OutOfRange beyond the map."""
        count = self.geometry.real_longs if longs is None else longs
        if not 0 <= count <= self.geometry.real_longs:
            message = f"{count} longs of a bitmap that has {self.geometry.real_longs}"
            raise OutOfRange(message)
        return self.geometry.blocks(count)

    def _change_block(self, ports: PortRange, turn_on: bool, block: slice) -> None:
        bits = self.geometry.long_bits
        low = max(ports.first, block.start * bits)
        high = min(ports.first + ports.count, block.stop * bits)
        if low >= high:
            return
        octets = self.words[block].view(np.uint8)
        flags = np.unpackbits(octets, bitorder="little")
        flags[low - block.start * bits : high - block.start * bits] = 0 if turn_on else 1
        octets[:] = np.packbits(flags, bitorder="little")
