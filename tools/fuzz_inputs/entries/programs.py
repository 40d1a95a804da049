"""Small ELF programs made of system calls, without a compiler."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

CODE: Final = 0x400000
"""Where a program is mapped."""
DATA: Final = 0x600000
"""Where the data of a program is mapped, which it can write."""
PAGE: Final = 4096
_PAGES: Final = 4
HEADERS: Final = 64 + 3 * 56
"""Bytes that the headers take at most."""

# Registers of a call, by the number that instructions know them by: System V ABI, A.2.1.
_ARGUMENTS: Final = (7, 6, 2, 10, 8, 9)
_OLD_ARGUMENTS: Final = (3, 1, 2, 6, 7, 5)
_SYSCALL, _INT80 = b"\x0f\x05", b"\xcd\x80"


class Call(NamedTuple):
    """A system call: its number, up to six arguments, and whether by the way of i386."""

    number: int
    arguments: tuple[int, ...] = ()
    old: bool = False


def program(
    calls: Sequence[Call], data: bytes = b"", *, interpreter: bytes = b"", wide: bool = True
) -> bytes:
    """Return a program that makes some calls and ends.

    Args:
        calls: what it does.
        data: what lies at `DATA`.
        interpreter: what its headers name as that, with a zero byte at its end.
        wide: 64 bits; else it is one of i386, which only ends.
    """
    if not wide:
        return _narrow()
    end = _code([*calls, Call(231, (0,))])
    segments = 3 if interpreter else 2
    begin = 64 + segments * 56
    text = end + interpreter
    size = begin + len(text)
    headers = [
        _segment(1, 5, 0, CODE, size, size),
        _segment(1, 6, _up(size), DATA, len(data), _PAGES * PAGE),
    ]
    if interpreter:
        at = begin + len(end)
        headers.append(_segment(3, 4, at, CODE + at, len(interpreter), len(interpreter)))
    ident = b"\x7fELF\2\1\1" + bytes(9)
    entry = CODE + begin
    first = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, entry, 64, 0, 0, 64, 56, segments, 0, 0, 0)
    whole = ident + first + b"".join(headers) + text
    return whole + bytes(_up(size) - len(whole)) + data


def _up(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _segment(kind: int, flags: int, offset: int, at: int, size: int, room: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, offset, at, at, size, room, PAGE)


def _narrow() -> bytes:
    code = b"\xb8\1\0\0\0\x31\xdb" + _INT80  # mov eax, 1; xor ebx, ebx; int 0x80
    begin = 52 + 32
    size, base = begin + len(code), 0x8048000
    ident = b"\x7fELF\1\1\1" + bytes(9)
    first = struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + begin, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, PAGE)
    return ident + first + segment + code


def _code(calls: Sequence[Call]) -> bytes:
    parts = []
    for call in calls:
        registers = _OLD_ARGUMENTS if call.old else _ARGUMENTS
        for register, value in zip(registers, call.arguments, strict=False):
            parts.append(_load(register, value))
        parts += [_load(0, call.number), _INT80 if call.old else _SYSCALL]
    return b"".join(parts)


def _load(register: int, value: int) -> bytes:
    """Return ``movabs register, value``."""
    prefix = 0x48 | register >> 3
    return bytes((prefix, 0xB8 | register & 7)) + (value & (1 << 64) - 1).to_bytes(8, "little")
