"""The processor: the TSS layout and the I/O permission check. Knows no kernel."""

from iopermit.arch.permission import (
    ASSUMPTIONS,
    MAX_PRIVILEGE_LEVEL,
    PORT_COUNT,
    WIDTHS,
    Assumption,
    consults_bitmap,
    permitted,
)
from iopermit.arch.ports import as_ranges, format_ranges, permitted_ports
from iopermit.arch.tss import (
    IO_MAP_BASE_OFFSET,
    MAX_IO_MAP_BASE,
    MAX_LIMIT,
    TSS16_SIZE,
    TSS_SIZE,
    Image,
    LoadedTss,
    TssFormat,
    build_tss,
)

__all__ = [
    "ASSUMPTIONS",
    "IO_MAP_BASE_OFFSET",
    "MAX_IO_MAP_BASE",
    "MAX_LIMIT",
    "MAX_PRIVILEGE_LEVEL",
    "PORT_COUNT",
    "TSS16_SIZE",
    "TSS_SIZE",
    "WIDTHS",
    "Assumption",
    "Image",
    "LoadedTss",
    "TssFormat",
    "as_ranges",
    "build_tss",
    "consults_bitmap",
    "format_ranges",
    "permitted",
    "permitted_ports",
]
