"""Whether the names of I/O map bases mean, to the processor, what the specification takes them for.

The specification looks at what the base *selects*: no map, the task's map, or a map that allows
everything. This asks the processor's own check about every port, with real numbers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit import arch
from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.source import has_hook
from iopermit.system.bitmap import PORTS
from iopermit.system.machine_state import IoMapBase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.system.design import Design
    from iopermit.system.machine_state import TssLayout

_AFTER_VM_EXIT: Final = 0x67
"""The limit that a VM exit leaves in TR: the TSS without any map."""
_BYTE: Final = 8


def check_layout(design: type[Design]) -> None:
    """Raise UnacceptableError if a base would select something else than its name says."""
    layout = design.layout
    random = np.random.default_rng(0)
    denied = (random.integers(0, 2, layout.map_ports // layout.long_bits) == 1).repeat(
        layout.long_bits
    )
    for bits in (np.zeros_like(denied), np.ones_like(denied), denied):
        for base in layout.bases:
            expected = np.zeros(PORTS, bool)
            if base is IoMapBase.VALID:
                expected[: layout.map_ports] = ~bits
            elif base is IoMapBase.ALL:
                expected[:] = True
            _compare(design, base, bits, layout.limit, expected)
            _compare(design, base, bits, _AFTER_VM_EXIT, np.zeros(PORTS, bool))


def _compare(
    design: type[Design],
    base: IoMapBase,
    bits: NDArray[np.bool_],
    limit: int,
    expected: NDArray[np.bool_],
) -> None:
    layout = design.layout
    try:
        image = _image(layout, base, bits)
        tss = arch.LoadedTss(layout.format, image, limit)
        allowed = arch.permitted_ports(
            1, cpl=arch.MAX_PRIVILEGE_LEVEL, iopl=0, vm86=False, protected=True, tss=tss
        )
    except (ValueError, struct.error, KeyError) as error:
        raise UnacceptableError(f"{design.__name__}.layout: {error}") from error
    wrong = allowed != expected
    if layout.map_ports < PORTS and has_hook(design, "ports_beyond_map_allowed"):
        wrong[layout.map_ports :] = False  # the design itself says what is there
    if wrong.any():
        ports = arch.format_ranges(arch.as_ranges(wrong))
        verb = "allows" if allowed[wrong].any() else "refuses"
        raise UnacceptableError(
            f"{design.__name__}.layout: with the base {base.name} and the limit {limit:#x} "
            f"the processor {verb} ports {ports}"
        )


def _image(layout: TssLayout, base: IoMapBase, bits: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the memory of a TSS: the maps, a word of ones behind each, and zeros elsewhere.

    Zeros would allow ports if the processor took them for part of a map.
    """
    image = np.zeros(layout.memory, np.uint8)
    maps = {layout.bases[IoMapBase.VALID]: np.packbits(bits, bitorder="little")}
    if IoMapBase.ALL in layout.bases:
        maps[layout.bases[IoMapBase.ALL]] = np.zeros(layout.map_ports // _BYTE, np.uint8)
    for start, octets in maps.items():
        end = start + len(octets)
        image[end : end + layout.long_bits // _BYTE] = 0xFF
    for start, octets in maps.items():
        image[start : start + len(octets)] = octets
    struct.pack_into("<H", image.data, arch.IO_MAP_BASE_OFFSET, layout.bases[base])
    return image
