"""Checks where a design puts its maps in the TSS, with the processor's own permission check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit import arch
from iopermit.system.design import Design
from iopermit.system.machine_state import IoMapBase

if TYPE_CHECKING:
    from iopermit.system.machine_state import TssLayout

_PORTS: Final = 65536
_MOST: Final = 0xFFFF
"""The I/O map base has 16 bits; a TSS limit above them reaches nothing more."""
_REFUSING: Final = (IoMapBase.INVALID, IoMapBase.LAZY)
"""Selections that have to refuse every port."""


def layout_fault(design: type[Design]) -> str | None:
    """Return what is wrong with the layout of a design, or None.

    Every selection has to do what its name says, whatever the map holds: INVALID and LAZY refuse
    all ports, VALID decides by the map alone, ALL allows all ports. Asked with
    :func:`iopermit.arch.permitted` about the ports at both ends of the map.
    """
    layout = design.layout
    return _bad_number(layout) or _wrong_selection(layout) or _wrong_end(design)


def _bad_number(layout: TssLayout) -> str | None:
    numbers = {
        "limit": (layout.limit, arch.TSS_SIZE - 1, _MOST),
        "map_ports": (layout.map_ports, 8, _PORTS),
        "size": (layout.size, 0, 2 * _MOST),
    }
    if layout.long_bits not in {32, 64}:
        return f"long_bits is {layout.long_bits!r}, not 32 or 64"
    bases: object = layout.bases  # What a user's file gives need not be what the field declares.
    if not isinstance(bases, dict) or IoMapBase.VALID not in bases:
        return "bases has no IoMapBase.VALID"
    for selection, base in bases.items():
        if not isinstance(selection, IoMapBase):
            return f"bases has the key {selection!r}, which is no IoMapBase"
        numbers[f"the base of {selection.name}"] = (base, 0, _MOST)
    for name, (number, low, high) in numbers.items():
        if type(number) is not int or not low <= number <= high:
            return f"{name} is {number!r:.40}, not a number from {low} to {high}"
    if layout.map_ports % layout.long_bits:
        return f"map_ports is {layout.map_ports}, no whole number of longs"
    return None


def _wrong_selection(layout: TssLayout) -> str | None:
    """Return which selection does not do what its name says."""
    zeros = bytearray(layout.memory)
    for selection, base in layout.bases.items():
        if selection in _REFUSING and _permitted(layout, zeros, base, 0):
            return (
                f"the base of {selection.name} ({base:#x}) lies inside the limit "
                f"({layout.limit:#x}): it refuses no port"
            )
        if selection not in _REFUSING:
            last = layout.map_ports - 1
            if not all(_permitted(layout, zeros, base, port) for port in (0, last)):
                return (
                    f"the limit ({layout.limit:#x}) ends before the map of {selection.name} and "
                    f"its terminating byte do ({base + layout.map_ports // 8:#x}): "
                    "it refuses ports that the map allows"
                )
    return None


def _wrong_end(design: type[Design]) -> str | None:
    """Return whether bytes behind the map's terminator open ports that no map covers."""
    layout = design.layout
    end = layout.bases[IoMapBase.VALID] + layout.map_ports // 8
    image = bytearray(layout.memory)
    image[end : end + layout.long_bits // 8] = b"\xff" * (layout.long_bits // 8)
    beyond = range(layout.map_ports, _PORTS, 8)
    base = layout.bases[IoMapBase.VALID]
    opened = [port for port in beyond if _permitted(layout, image, base, port)]
    if not opened or _says_what_is_beyond(design):
        return None
    return (
        f"the limit ({layout.limit:#x}) covers bytes behind the terminator of the map: "
        f"ports from {opened[0]} on may be allowed"
    )


def _says_what_is_beyond(design: type[Design]) -> bool:
    """Return whether the design itself tells which ports beyond the map are allowed."""
    return design.ports_beyond_map_allowed is not Design.ports_beyond_map_allowed


def _permitted(layout: TssLayout, image: bytearray, base: int, port: int) -> bool:
    """Return whether user code may access one port of one byte."""
    image[arch.IO_MAP_BASE_OFFSET : arch.IO_MAP_BASE_OFFSET + 2] = base.to_bytes(2, "little")
    tss = arch.LoadedTss(layout.format, bytes(image), layout.limit)
    return arch.permitted(
        port,
        1,
        cpl=arch.MAX_PRIVILEGE_LEVEL,
        iopl=0,
        vm86=False,
        protected=True,
        tss=tss,
    )
