"""Where structures have their members, by the types (BTF) that a kernel describes itself with.

Source: Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from elftools.common.exceptions import ELFError, ELFParseError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC: Final = b"\x9f\xeb"
_HEADER: Final = struct.Struct("<HBBIIIII")
_TYPE: Final = struct.Struct("<III")
_MEMBER: Final = struct.Struct("<III")
_STRUCTURES: Final = (4, 5)
"""BTF_KIND_STRUCT and BTF_KIND_UNION."""
_ALIASES: Final = (8, 9, 10, 11, 18)
"""Kinds that give another type a name or a qualifier: typedef, volatile, const, restrict, tag."""
_FIXED_TAIL: Final = {1: 4, 3: 12, 14: 4, 17: 4}
"""Bytes behind a type of these kinds: integer, array, variable, declaration tag."""
_ENTRY_OF_TAIL: Final = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""Bytes behind a type of these kinds for each of its members, parameters or variables."""

_DEEPEST: Final = 32
"""Types inside one another: MAX_RESOLVE_DEPTH of the kernel's own reader, kernel/bpf/btf.c."""

_DAMAGED: Final = (
    ELFError, ELFParseError, ConstructError, ArithmeticError, LookupError, AttributeError,
    TypeError, ValueError, OSError,
)  # fmt: skip
"""What elftools raises for fields of an ELF file that make no sense."""


@dataclass(frozen=True)
class _Type:
    kind: int
    name: str
    referred: int
    """The type that this one names or qualifies; for a structure its size."""
    members: tuple[tuple[str, int, int], ...] = ()
    """Name, type and offset in bits of each member."""


class KernelTypes:
    """The types of a kernel."""

    def __init__(self, section: bytes) -> None:
        """Read the contents of the section .BTF.

        Raises:
            ValueError: it is not BTF, or cut off.
        """
        if section[:2] != _MAGIC:
            raise ValueError("its types do not begin with the magic number of BTF")
        try:
            _, _, _, header, types, type_bytes, names, name_bytes = _HEADER.unpack_from(section)
            self._names = section[header + names : header + names + name_bytes]
            self._types = [_Type(0, "void", 0)]
            self._structures: dict[str, int] = {}
            self._read(section[header + types : header + types + type_bytes])
        except (struct.error, ValueError) as error:
            raise ValueError(f"its types (BTF) are cut off: {error}") from error

    def offset(self, structure: str, path: str) -> int:
        """Return the offset in bytes of a member (`a.b`: of the member b of the member a).

        Raises:
            KeyError: the kernel has no such structure, or no such member.
            ValueError: its types refer to none, or to themselves.
        """
        if structure not in self._structures:
            raise KeyError(f"struct {structure}")
        at, offset = self._structures[structure], 0
        for name in path.split("."):
            found = self._member(at, name, _DEEPEST)
            if found is None:
                raise KeyError(f"{path} in struct {structure}")
            offset, at = offset + found[0], found[1]
        return offset

    def _read(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            name, info, referred = _TYPE.unpack_from(data, at)
            at += _TYPE.size
            kind, count = (info >> 24) & 0x1F, info & 0xFFFF
            members: tuple[tuple[str, int, int], ...] = ()
            if kind in _STRUCTURES:
                members = tuple(self._members(data, at, count, bit_fields=bool(info >> 31)))
                self._structures.setdefault(self._name(name), len(self._types))
            self._types.append(_Type(kind, self._name(name), referred, members))
            at += _FIXED_TAIL.get(kind, 0) + count * _ENTRY_OF_TAIL.get(kind, 0)

    def _members(
        self, data: bytes, at: int, count: int, *, bit_fields: bool
    ) -> list[tuple[str, int, int]]:
        found = []
        for number in range(count):
            name, member_type, offset = _MEMBER.unpack_from(data, at + number * _MEMBER.size)
            found.append(
                (self._name(name), member_type, offset & 0xFFFFFF if bit_fields else offset)
            )
        return found

    def _name(self, at: int) -> str:
        return self._names[at : self._names.index(b"\0", at)].decode()

    def _member(self, structure: int, wanted: str, depth: int) -> tuple[int, int] | None:
        """Return offset in bytes and type of a member, also of one in a nameless member."""
        if not depth:
            raise ValueError("its types (BTF) have a structure that is a part of itself")
        for name, member_type, bits in self._type(structure).members:
            resolved = self._resolved(member_type)
            if name == wanted:
                return bits // 8, resolved
            if not name:
                inner = self._member(resolved, wanted, depth - 1)
                if inner is not None:
                    return bits // 8 + inner[0], inner[1]
        return None

    def _resolved(self, number: int) -> int:
        for _ in range(_DEEPEST):
            found = self._type(number)
            if found.kind not in _ALIASES:
                return number
            number = found.referred
        raise ValueError("its types (BTF) have a name for itself")

    def _type(self, number: int) -> _Type:
        if number >= len(self._types):
            raise ValueError(f"its types (BTF) refer to type {number} of {len(self._types)}")
        return self._types[number]


def kernel_types(kernel: bytes, image: Path) -> KernelTypes:
    """Return the types that a kernel describes itself with.

    Args:
        kernel: its ELF file.
        image: where it came from, for messages.

    Raises:
        ReproduceError: it has none, or they cannot be read.
    """
    try:
        section = ELFFile(io.BytesIO(kernel)).get_section_by_name(".BTF")
        content = None if section is None else section.data()
    except _DAMAGED as error:
        raise ReproduceError(f"{image} has a damaged kernel: {error}") from error
    if content is not None:
        try:
            return KernelTypes(content)
        except ValueError as error:
            raise ReproduceError(f"{image}: {error}") from error
    raise ReproduceError(
        f"{image} has no BTF, which tells where the kernel's structures have their members; "
        "build it with CONFIG_DEBUG_INFO_BTF=y (it needs pahole)"
    )
