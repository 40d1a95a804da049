"""Unpacks the kernel in a bzImage: gzip, xz, zstd or lz4.

Sources: Documentation/arch/x86/boot.rst ("payload_offset", "payload_length");
scripts/Makefile.lib (`size_append`: the size of the unpacked kernel is the last word).
"""

from __future__ import annotations

import lzma
import struct
import zlib
from typing import TYPE_CHECKING, Final

from iopermit.engine.errors import MissingExtraError
from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SIGNATURE: Final = 0x202
_VERSION: Final = 0x206
_FIRST_WITH_PAYLOAD: Final = 0x208
_SETUP_SECTORS: Final = 0x1F1
_PAYLOAD: Final = 0x248
_SECTOR: Final = 512
_LARGEST: Final = 1 << 30
"""Bytes of an unpacked kernel; distributions' have about 60 MiB."""
_LZ4_MAGIC: Final = b"\x02\x21\x4c\x18"
_LZ4_BLOCK: Final = 8 << 20
"""Bytes that a block of lz4's legacy frame unpacks to at most (lz4_Frame_format.md)."""


def unpack(image: Path) -> bytes:
    """Return the ELF file of the kernel that is packed in a bzImage.

    Raises:
        ReproduceError: the file is no bzImage, is damaged, or is compressed in another way.
        MissingExtraError: the library that unpacks it is not installed.
        OSError: the file cannot be read.
    """
    content = image.read_bytes()
    payload = _payload(content)
    if payload is None:
        hint = "give the file that a boot loader loads, such as /boot/vmlinuz-*"
        raise ReproduceError(f"{image} is no bzImage of x86; {hint}")
    for magic, unpacker in _UNPACKERS.items():
        if payload.startswith(magic):
            kernel = _unpacked(image, payload, unpacker)
            if not kernel.startswith(b"\x7fELF"):
                raise ReproduceError(f"{image}: what is packed in it is no ELF file")
            return kernel
    raise ReproduceError(
        f"{image}: its kernel is compressed in a way other than gzip, xz, zstd or lz4 "
        f"(it begins with {payload[:6].hex(' ')}); build it with one of these"
    )


def _payload(content: bytes) -> bytes | None:
    """Return the compressed kernel, with the word behind it, or None if there is none."""
    if len(content) < _PAYLOAD + 8 or content[_SIGNATURE : _SIGNATURE + 4] != b"HdrS":
        return None
    (version,) = struct.unpack_from("<H", content, _VERSION)
    if version < _FIRST_WITH_PAYLOAD:
        return None
    offset, length = struct.unpack_from("<II", content, _PAYLOAD)
    # A field of zero means four sectors (boot.rst, "setup_sects").
    start = ((content[_SETUP_SECTORS] or 4) + 1) * _SECTOR + offset
    payload = content[start : start + length]
    return payload if len(payload) == length else None


def _unpacked(image: Path, payload: bytes, unpacker: Callable[[bytes, int], bytes]) -> bytes:
    (size,) = struct.unpack("<I", payload[-4:])
    if size > _LARGEST:
        raise ReproduceError(f"{image} says that its kernel has {size:,} bytes; it is damaged")
    try:
        kernel = unpacker(payload, size)
    except (ValueError, EOFError, lzma.LZMAError, zlib.error, struct.error) as error:
        raise ReproduceError(f"{image}: its kernel cannot be unpacked: {error}") from error
    if len(kernel) != size:
        raise ReproduceError(
            f"{image}: its kernel has {len(kernel):,} bytes instead of {size:,}; it is damaged"
        )
    return kernel


def _gzip(payload: bytes, size: int) -> bytes:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(payload, size)


def _xz(payload: bytes, size: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload, size)


def _zstd(payload: bytes, size: int) -> bytes:
    try:
        import zstandard  # an extra
    except ImportError as error:
        raise MissingExtraError("reproduce", "zstandard") from error
    try:
        # The kernel is packed with the largest window (--ultra -22).
        unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 31)
        return unpacker.decompress(payload, max_output_size=size)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def _lz4(payload: bytes, size: int) -> bytes:
    """Unpack the legacy frame, which the kernel's build makes (`lz4 -l`): blocks with lengths."""
    try:
        import lz4.block  # an extra
    except ImportError as error:
        raise MissingExtraError("reproduce", "lz4") from error
    kernel, at = bytearray(), len(_LZ4_MAGIC)
    try:
        while len(kernel) < size:
            (length,) = struct.unpack_from("<I", payload, at)
            at += 4
            block = payload[at : at + length]
            kernel += lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK)
            at += length
    except lz4.block.LZ4BlockError as error:
        raise ValueError(str(error)) from error
    return bytes(kernel)


_UNPACKERS: Final[dict[bytes, Callable[[bytes, int], bytes]]] = {
    b"\x1f\x8b": _gzip,
    b"\xfd7zXZ\x00": _xz,
    b"\x28\xb5\x2f\xfd": _zstd,
    _LZ4_MAGIC: _lz4,
}
