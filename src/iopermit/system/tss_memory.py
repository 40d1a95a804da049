"""The memory of a TSS: the bytes that the processor reads."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from iopermit import arch
from iopermit.arch.lazy import np
from iopermit.system.bitmap import PORTS, Bitmap, Geometry
from iopermit.system.machine_state import IoMapBase, TssLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOW_LIMIT: Final = 0x67
"""The TSS limit that a VM exit leaves in TR (SDM vol. 3, "Loading Host Segment and
Descriptor-Table Registers")."""

_ONES: Final = 0xFF


class TssMemory:
    """The TSS structure of one CPU, as its kernel lays it out.

    Attributes:
        image: its bytes.
        bitmap: the port bitmap, which is a view into the bytes.
    """

    def __init__(
        self, layout: TssLayout, geometry: Geometry, image: NDArray[np.uint8] | None = None
    ) -> None:
        """Make the memory: zeros, but for the terminators behind both maps.

        Args:
            layout: where the maps are.
            geometry: of the maps.
            image: the memory to use, zeros; own memory if None.
        """
        self.layout = layout
        self.image: NDArray[np.uint8] = (
            np.zeros(layout.memory, np.uint8) if image is None else image
        )
        octets = layout.map_ports // 8
        start = layout.bases[IoMapBase.VALID]
        self._end = start + octets
        dtype = np.dtype(f"<u{layout.long_bits // 8}")
        self.bitmap = Bitmap(geometry, self.image[start : self._end].view(dtype))
        all_map = layout.bases.get(IoMapBase.ALL)
        self._next = layout.memory if all_map is None else all_map
        self.image[self._end : self._next] = _ONES
        if all_map is not None:
            self.image[all_map + octets :] = _ONES

    def view(
        self, base: IoMapBase, selected: IoMapBase, *, covered: bool, beyond_allowed: bool
    ) -> arch.LoadedTss:
        """Return the TSS as the processor consults it.

        Args:
            base: what the I/O map base in the TSS selects.
            selected: what is consulted; a hypervisor may look elsewhere, in a copied image.
            covered: whether the limit in force is the full one, not that after a VM exit.
            beyond_allowed: whether the bytes behind the map are zeros.
        """
        if self.layout.map_ports < PORTS:
            self._fill_behind(0 if beyond_allowed else _ONES)
        image = self.image
        _write_base(image, self.layout.bases[base])
        if selected is not base:
            image = image.copy()
            _write_base(image, self.layout.bases[selected])
        limit = self.layout.limit if covered else LOW_LIMIT
        return arch.LoadedTss(self.layout.format, image, limit)

    def _fill_behind(self, octet: int) -> None:
        # With more bytes inside the limit than the terminating word these are meant (B13),
        # otherwise the terminating word itself (X1).
        word_end = self._end + self.layout.long_bits // 8
        start = word_end if self.layout.limit >= word_end else self._end
        self.image[start : self._next] = octet


def _write_base(image: NDArray[np.uint8], base: int) -> None:
    struct.pack_into("<H", image.data, arch.IO_MAP_BASE_OFFSET, base)
