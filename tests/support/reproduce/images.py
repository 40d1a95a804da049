"""Makes images of kernels, small ones, and types that describe structures (BTF)."""

from __future__ import annotations

import gzip
import lzma
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import lz4.block
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    # The last word of gzip's own format is the size (RFC 1952), so nothing is appended.
    "gzip": lambda kernel: gzip.compress(kernel, mtime=0)[:-4],
    "xz": lambda kernel: lzma.compress(kernel, check=lzma.CHECK_CRC32),
    "zstd": lambda kernel: zstandard.ZstdCompressor().compress(kernel),
    "lz4": lambda kernel: b"\x02\x21\x4c\x18" + _lz4_blocks(kernel),
}
"""How kernels are packed; `bz_image` adds the size."""


def _lz4_blocks(kernel: bytes) -> bytes:
    blocks = b""
    for at in range(0, len(kernel), 8 << 20):
        block = lz4.block.compress(kernel[at : at + (8 << 20)], store_size=False)
        blocks += struct.pack("<I", len(block)) + block
    return blocks


def bz_image(packed: bytes, size: int, *, version: int = 0x20F, sectors: int = 2) -> bytes:
    """Return a bzImage with a packed kernel, which has a size (boot.rst)."""
    payload = packed + struct.pack("<I", size)
    header = bytearray((sectors + 1) * 512)
    header[0x1F1] = sectors
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x206, version)
    struct.pack_into("<II", header, 0x248, 0x40, len(payload))
    return bytes(header) + bytes(0x40) + payload


@dataclass
class TypesMade:
    """A section .BTF in the making."""

    names: bytearray = field(default_factory=lambda: bytearray(1))
    types: bytearray = field(default_factory=bytearray)
    count: int = 0

    def name(self, text: str) -> int:
        """Add a name; return its offset."""
        at = len(self.names)
        self.names += text.encode() + b"\0"
        return at if text else 0

    def add(self, name: str, info: int, size: int, tail: bytes = b"") -> int:
        """Add a type; return its number."""
        self.types += struct.pack("<III", self.name(name), info, size) + tail
        self.count += 1
        return self.count

    def integer(self, name: str = "int") -> int:
        """Add an integer."""
        return self.add(name, 1 << 24, 4, bytes(4))

    def alias(self, kind: int, of: int, name: str = "") -> int:
        """Add a type that names (typedef: 8) or qualifies (const: 10) another one."""
        return self.add(name, kind << 24, of)

    def structure(
        self, name: str, *members: tuple[str, int, int], size: int = 64, bit_fields: bool = False
    ) -> int:
        """Add a structure with members: name, type, offset in bits."""
        tail = b"".join(struct.pack("<III", self.name(n), t, o) for n, t, o in members)
        return self.add(name, (bit_fields << 31) | 4 << 24 | len(members), size, tail)

    def section(self) -> bytes:
        """Return the section."""
        layout = (0, len(self.types), len(self.types), len(self.names))
        return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, *layout) + self.types + self.names


def kernel_types() -> TypesMade:
    """Return types with all that `KernelLayout` looks for."""
    made = TypesMade()
    word = made.integer("unsigned long")
    info = made.structure("thread_info", ("flags", word, 0))
    thread = made.structure("thread_struct", ("io_bitmap", word, 64))
    members = (("thread_info", info, 0), ("pid", word, 64), ("comm", word, 128))
    made.structure("task_struct", *members, ("thread", thread, 512))
    maps = made.structure("x86_io_bitmap", ("bitmap", word, 128), ("mapall", word, 66_560))
    made.structure("tss_struct", ("x86_tss", word, 0), ("io_bitmap", maps, 832))
    made.structure("pt_regs", ("dx", word, 768), ("si", word, 832), ("di", word, 896))
    return made


def elf_file(section: bytes) -> bytes:
    """Return an ELF file with a section .BTF, and nothing else."""
    names = b"\0.BTF\0.shstrtab\0"
    at, sections = 64, ((0, 0, b""), (1, 1, section), (6, 3, names))
    headers, body = b"", b""
    for name, kind, content in sections:
        headers += struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, at, len(content), 0, 0, 1, 0)
        body, at = body + content, at + len(content)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    sizes = (64, 0, 0, 64, len(sections), 2)
    return ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, at, 0, *sizes) + body + headers
