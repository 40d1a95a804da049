"""Where structures have their members, by the debug information (DWARF) of an object.

It takes the place of BTF in a kernel that was built here: BTF needs pahole, DWARF only gcc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from pathlib import Path

_STRUCTURES: Final = ("DW_TAG_structure_type", "DW_TAG_union_type")
_ALIASES: Final = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")


class DebugTypes:
    """The structures of one object."""

    def __init__(self, file: Path) -> None:
        """Read the debug information of an object.

        Raises:
            ValueError: it has none.
        """
        self._stream = file.open("rb")
        elf = ELFFile(self._stream)
        if not elf.has_dwarf_info():
            self._stream.close()
            raise ValueError(f"{file} has no debug information")
        self._structures: dict[str, Any] = {}
        for unit in elf.get_dwarf_info().iter_CUs():
            for entry in unit.get_top_DIE().iter_children():
                if entry.tag in _STRUCTURES and "DW_AT_byte_size" in entry.attributes:
                    self._structures.setdefault(_name(entry), entry)

    def __enter__(self) -> Self:
        """Keep the object open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the object."""
        self._stream.close()

    def offset(self, structure: str, path: str) -> int:
        """Return the offset in bytes of a member (`a.b`: of the member b of the member a).

        Raises:
            KeyError: there is no such structure, or no such member.
        """
        if structure not in self._structures:
            raise KeyError(f"struct {structure}")
        entry, offset = self._structures[structure], 0
        for name in path.split("."):
            found = None if entry is None else _member(entry, name)
            if found is None:
                raise KeyError(f"{path} in struct {structure}")
            offset, entry = offset + found[0], found[1]
        return offset


def _name(entry: Any) -> str:  # noqa: ANN401 - pyelftools
    name = entry.attributes.get("DW_AT_name")
    return "" if name is None else name.value.decode()


def _member(structure: Any, wanted: str) -> tuple[int, Any] | None:  # noqa: ANN401 - pyelftools
    """Return offset and type of a member, also of one in a nameless member."""
    for entry in structure.iter_children():
        if entry.tag != "DW_TAG_member":
            continue
        # A union's members have no offset; those of bit fields are of no interest here.
        place = entry.attributes.get("DW_AT_data_member_location")
        offset = 0 if place is None else int(place.value)
        if _name(entry) == wanted:
            return offset, _resolved(entry)
        inner = None if _name(entry) else _member(_resolved(entry), wanted)
        if inner is not None:
            return offset + inner[0], inner[1]
    return None


def _resolved(entry: Any) -> Any:  # noqa: ANN401 - pyelftools
    """Return the type of a member behind its names and qualifiers."""
    entry = entry.get_DIE_from_attribute("DW_AT_type")
    while entry.tag in _ALIASES and "DW_AT_type" in entry.attributes:
        entry = entry.get_DIE_from_attribute("DW_AT_type")
    return entry
