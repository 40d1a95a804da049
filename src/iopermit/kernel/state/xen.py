"""What Xen lets user code of a PV guest do: it reads the bitmap that the guest named to it.

Xen notes the address and the number of ports of the hypercall PHYSDEVOP_set_iobitmap
(xen/arch/x86/physdev.c), and reads the guest's memory there at each access that faults
(guest_io_okay() in xen/arch/x86/pv/emul-priv-op.c). It copies nothing, and asks no TSS of the
guest. Besides the map there is the virtual IOPL, which Linux sets to 1 once, at boot: user code, at
level 3, gets nothing by it, whatever is in its flags.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit import arch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iopermit.kernel.image.layout import Layout

NOTED: Final = 16
"""Bytes of what is noted of a CPU: struct iopermit_xen_map of the shim."""
_USER_CPL: Final = 3
_BASE: Final = 0x68
"""Where the bitmap stands in the image of a TSS that the permission check is asked about."""
_BASE_FIELD: Final = 0x66
_PAST_LIMIT: Final = 0xFFFF


class UnknownMap(Exception):  # noqa: N818 - a limit of the search, not an error
    """Xen would read a bitmap that is not in the TSS, or was told something that is not known."""


class ToldMap(NamedTuple):
    """What the last hypercall of a CPU told Xen.

    Attributes:
        base: where the bitmap begins, in bytes from the beginning of the CPU's TSS.
        ports: how many ports it has; 0: Xen allows none.
        other_command: another command of physdev_op that was called, or None.
    """

    base: int
    ports: int
    other_command: int | None

    @property
    def selected(self) -> int:
        """The I/O map base with which a TSS would have the same effect; 0: none has."""
        if not self.ports:
            return _PAST_LIMIT
        return self.base if 0 <= self.base < _PAST_LIMIT else 0


class XenGuest:
    """The map of each CPU of a kernel that is a Xen PV guest."""

    def __init__(self, layout: Layout, place: int) -> None:
        """Take what is noted at `place`, a link address in every CPU's area."""
        self._layout, self._place = layout, place

    def told(self, area: bytes, link: int, start: int) -> ToldMap:
        """Return what a CPU told Xen.

        Args:
            area: bytes of the CPU's area, with those that are noted.
            link: the link address of the first of them.
            start: the address of the area: that of link address 0.
        """
        pointer, ports, other = struct.unpack_from("<QII", area, self._place - link)
        base = pointer - (start + self._layout.tss)
        return ToldMap(base, ports, other - 1 if other else None)

    def allowed(self, area: bytes, link: int, start: int, width: int) -> NDArray[np.bool_]:
        """Return for each port whether Xen lets user code access `width` ports from there on.

        Args:
            area: the CPU's area.
            link: the link address of its first byte.
            start: the address of the area: that of link address 0.
            width: 1, 2 or 4.

        Raises:
            UnknownMap: the bitmap is not in the CPU's TSS, or Xen was told something else.
        """
        told = self.told(area, link, start)
        place, size = self._bitmap(told)
        bitmap = area[place - link : place - link + size]
        header = bytearray(_BASE)
        struct.pack_into("<H", header, _BASE_FIELD, _BASE)
        image = bytes(header) + bitmap.ljust(arch.PORT_COUNT // 8 + 1, b"\xff")
        tss = arch.LoadedTss(arch.TssFormat.TSS64, image, len(image) - 1)
        allowed = arch.permitted_ports(
            width, cpl=_USER_CPL, iopl=0, vm86=False, protected=True, tss=tss
        )
        # As guest_io_okay() has it: all of the access must be among the ports of the bitmap.
        allowed[max(0, told.ports - width + 1) :] = False
        return allowed

    def _bitmap(self, told: ToldMap) -> tuple[int, int]:
        """Return link address and size of the bitmap, with the byte behind it.

        Xen reads two bytes for each access, as the processor does.
        """
        if told.other_command is not None:
            raise UnknownMap(
                f"the tree makes the hypercall physdev_op with command {told.other_command}, of "
                "which iopermit does not know what it does"
            )
        if not told.ports:
            return self._layout.tss, 0
        start, size = self._layout.tss + told.base, (told.ports + 7) // 8 + 1
        if told.base < 0 or start + size > self._layout.tss_end:
            raise UnknownMap(
                f"the tree tells Xen of a bitmap for {told.ports} ports that begins "
                f"{abs(told.base)} bytes {'before' if told.base < 0 else 'behind'} the start of "
                "the CPU's TSS and is not all inside it: iopermit does not know what is there"
            )
        return start, size


def xen_guest(layout: Layout) -> XenGuest | None:
    """Return what tells the maps of Xen's, or None if the kernel is no PV guest."""
    return None if layout.xen_map is None else XenGuest(layout, layout.xen_map)
