"""The task-state segment (TSS), as far as I/O permission depends on it.

Sources: Intel SDM vol. 3, chapter "Task Management" ("Task-State Segment (TSS)", "16-Bit
Task-State Segment (TSS)", "Task Management in 64-bit Mode"); AMD APM vol. 2, chapter "Task
Management" ("Legacy Task-State Segment", "64-Bit Task State Segment").
"""

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.arch.lazy import np

IO_MAP_BASE_OFFSET = 102
"""Offset of the 16-bit I/O map base in a 32-bit or 64-bit TSS, in bytes (0x66)."""

TSS_SIZE = 104
"""Size of the 32-bit and of the 64-bit TSS as the hardware defines it, in bytes (0x68)."""

TSS16_SIZE = 44
"""Size of the 16-bit TSS, in bytes (0x2c)."""

MAX_IO_MAP_BASE = 0xFFFF
"""The I/O map base is a 16-bit field."""

MAX_LIMIT = 0xFFFF_FFFF
"""The largest limit: 20 bits, in pages if the descriptor's G bit is set."""

Image: TypeAlias = "bytes | bytearray | memoryview | NDArray[np.uint8]"
"""Bytes of memory, from the base address of the TSS on."""


class TssFormat(Enum):
    """The three layouts of a TSS; the type in the descriptor that LTR loaded decides which."""

    TSS16 = 16
    """The 80286 layout: has no I/O map base, hence no I/O permission bitmap."""
    TSS32 = 32
    """The 80386 layout."""
    TSS64 = 64
    """The layout of long mode, which compatibility mode shares."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTss:
    """What the processor knows of the current TSS: its format, its memory and its limit.

    A view: later changes of the memory behind `image` are seen. Compared by identity.

    Attributes:
        format: the layout, from the type of the descriptor.
        image: contiguous bytes of memory from the TSS base on, not necessarily up to the limit.
        limit: offset of the last valid byte (inclusive), as cached in TR by LTR or changed by a
            VM exit; not the limit in the GDT.

    Raises:
        ValueError: the image is not a contiguous row of bytes, or the limit is out of range.
    """

    format: TssFormat
    image: Image
    limit: int

    def __post_init__(self) -> None:
        """Refuse what cannot be a TSS."""
        view = self._memory()
        if view.ndim != 1 or view.itemsize != 1 or not view.contiguous:
            raise ValueError("a TSS image is a contiguous, one-dimensional row of bytes")
        if not 0 <= self.limit <= MAX_LIMIT:
            raise ValueError(f"TSS limit {self.limit} is not in 0-{MAX_LIMIT:#x}")

    @property
    def has_io_map_base(self) -> bool:
        """Whether the processor finds an I/O map base: not in a 16-bit TSS, nor past the limit."""
        return self.format is not TssFormat.TSS16 and self.limit >= IO_MAP_BASE_OFFSET + 1

    @property
    def io_map_base(self) -> int:
        """The I/O map base: offset of the I/O permission bitmap from the TSS base, in bytes.

        Raises:
            ValueError: there is none (see `has_io_map_base`), or the image ends before it.
        """
        if not self.has_io_map_base:
            raise ValueError(f"a {self.format.name} with limit {self.limit} has no I/O map base")
        return self.read_word(IO_MAP_BASE_OFFSET)

    def read_word(self, offset: int) -> int:
        """Return the little-endian 16-bit word at `offset` bytes from the TSS base.

        Raises:
            ValueError: the image does not hold both bytes.
        """
        self.require_image(offset, 2)
        word: int = struct.unpack_from("<H", self._memory(), offset)[0]
        return word

    def require_image(self, offset: int, length: int) -> None:
        """Raise ValueError unless the image holds `length` bytes from `offset` on."""
        held = len(self.image)
        if offset < 0 or offset + length > held:
            raise ValueError(
                f"the processor reads TSS bytes {offset}-{offset + length - 1} (limit "
                f"{self.limit}), but the TSS image holds {held} bytes; supply the memory behind it"
            )

    def _memory(self) -> memoryview:
        # A numpy array is a buffer, but its annotations say so from Python 3.12 on only.
        return memoryview(cast("bytes", self.image))


def build_tss(
    tss_format: TssFormat,
    *,
    io_map_base: int,
    bitmap: bytes = b"",
    bitmap_offset: int | None = None,
    limit: int | None = None,
) -> LoadedTss:
    """Build a TSS in fresh memory, a bytearray, that is zero where nothing else is said.

    Args:
        tss_format: the layout.
        io_map_base: the value of the I/O map base field. It is written last, so that it
            survives a bitmap that overlaps it.
        bitmap: the bytes of the bitmap, the terminator included; a clear bit allows its port.
        bitmap_offset: where the bitmap lies, in bytes from the TSS base; at `io_map_base`
            unless given. A kernel that moves the base past the limit leaves the bitmap in place.
        limit: offset of the last valid byte; unless given, the end of the bitmap or of the
            hardware's TSS, whichever is later. The image always reaches it.

    Raises:
        ValueError: the I/O map base is not a 16-bit number, or the limit is out of range.
    """
    if not 0 <= io_map_base <= MAX_IO_MAP_BASE:
        raise ValueError(f"I/O map base {io_map_base} is not in 0-{MAX_IO_MAP_BASE:#x}")
    start = io_map_base if bitmap_offset is None else bitmap_offset
    end = start + len(bitmap) if bitmap else 0
    if limit is None:
        size = TSS16_SIZE if tss_format is TssFormat.TSS16 else TSS_SIZE
        limit = max(size, end) - 1
    image = bytearray(max(TSS_SIZE, end, limit + 1))
    image[start:end] = bitmap
    struct.pack_into("<H", image, IO_MAP_BASE_OFFSET, io_map_base)
    return LoadedTss(tss_format, image, limit)
