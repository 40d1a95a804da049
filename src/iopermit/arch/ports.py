"""The processor's I/O check for all ports at once, and sets of ports as ranges.

The rule is that of `iopermit.arch.permission`, which gives the sources and the assumptions.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from iopermit.arch.lazy import np
from iopermit.arch.permission import PORT_COUNT, check_width, consults_bitmap
from iopermit.arch.tss import LoadedTss

if TYPE_CHECKING:
    from numpy.typing import NDArray


def permitted_ports(
    width: int, *, cpl: int, iopl: int, vm86: bool, protected: bool, tss: LoadedTss
) -> "NDArray[np.bool_]":
    """Tell for every port whether an access of `width` ports that begins there would pass.

    Element `port` equals `permitted(port, width, ...)`; the arguments mean the same.

    Returns:
        A fresh array of 65,536 elements.

    Raises:
        ValueError: an argument is out of range, or the image of the TSS lacks bytes that are
            inside the limit and decide about some port.
    """
    check_width(width)
    if not consults_bitmap(cpl=cpl, iopl=iopl, vm86=vm86, protected=protected):
        return np.ones(PORT_COUNT, dtype=np.bool_)
    result = np.zeros(PORT_COUNT, dtype=np.bool_)
    if not tss.has_io_map_base:
        return result
    base = tss.io_map_base
    # Byte n of the bitmap counts only if byte n + 1 is inside the inclusive limit too.
    map_bytes = min(tss.limit - base, PORT_COUNT // 8)
    if map_bytes <= 0:
        return result
    tss.require_image(base, map_bytes + 1)
    image = np.frombuffer(tss.image, dtype=np.uint8, count=map_bytes + 1, offset=base)
    clear = np.unpackbits(~image, bitorder="little").view(np.bool_)
    ports = map_bytes * 8
    result[:ports] = clear[:ports]
    for following in range(1, width):
        result[:ports] &= clear[following : ports + following]
    return result


def as_ranges(mask: "NDArray[np.bool_]") -> list[tuple[int, int]]:
    """Return the runs of true elements as ascending pairs (first, last), both inclusive.

    Raises:
        ValueError: the mask is not one-dimensional.
    """
    if mask.ndim != 1:
        raise ValueError(f"a mask of ports has one dimension, not {mask.ndim}")
    padded = np.zeros(mask.size + 2, dtype=np.int8)
    padded[1:-1] = mask
    edges = np.flatnonzero(np.diff(padded))
    firsts, lasts = edges[::2], edges[1::2] - 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def format_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    """Return inclusive ranges as text, such as "128, 192-65535"; "none" if there are none."""
    parts = (str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    return ", ".join(parts) or "none"
