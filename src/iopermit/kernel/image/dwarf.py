"""Debug information of an object at the addresses where its sections were placed.

pyelftools can relocate debug sections too, but puts every section at 0, and takes seconds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_RELA: Final = np.dtype([("offset", "<u8"), ("info", "<u8"), ("addend", "<i8")])
_SIZES: Final = {1: "<u8", 10: "<u4"}
"""R_X86_64_64 and R_X86_64_32: the only relocations of debug sections."""
_SECTIONS: Final = {
    "debug_info_sec": ".debug_info",
    "debug_line_sec": ".debug_line",
    "debug_ranges_sec": ".debug_ranges",
}


@dataclass(frozen=True)
class Row:
    """One row of a line table: a line's instructions from `start` up to before `end`."""

    start: int
    end: int
    file: str
    line: int


@dataclass(frozen=True)
class Inlined:
    """Instructions of an inlined function, and the line that calls it."""

    start: int
    end: int
    file: str
    line: int
    depth: int


def read_debug_information(
    path: Path, placed: Mapping[int, int]
) -> tuple[list[Row], list[Inlined]]:
    """Return an object's line table and inlined calls; both empty if it has none.

    Args:
        path: the object.
        placed: addresses of its sections, by index.
    """
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        if not elf.has_dwarf_info():
            return [], []
        dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False)
        for attribute, name in _SECTIONS.items():
            section = getattr(dwarf, attribute)
            if section is not None:
                data = _relocated(elf, name, placed)
                setattr(dwarf, attribute, section._replace(stream=io.BytesIO(data)))
        rows: list[Row] = []
        inlined: list[Inlined] = []
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is not None:
                rows += _rows(program)
                inlined += _inlined(dwarf, unit, program)
        return rows, inlined


def inlined_into(path: Path, caller: str) -> set[str]:
    """Return the names of the functions that are inlined into a function of an object."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        if not elf.has_dwarf_info():
            return set()
        dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False)
        section: Any = dwarf.debug_info_sec
        data = io.BytesIO(_relocated(elf, ".debug_info", {}))
        dwarf.debug_info_sec = section._replace(stream=data)
        return {
            name
            for unit in dwarf.iter_CUs()
            for child in unit.get_top_DIE().iter_children()
            if child.tag == "DW_TAG_subprogram" and _name_of(child) == caller
            for name in _inlined_names(child)
        }


def _inlined_names(parent: Any) -> Iterator[str]:  # noqa: ANN401 - pyelftools
    for child in parent.iter_children():
        if child.tag == "DW_TAG_inlined_subroutine":
            yield _name_of(child)
        if child.has_children:
            yield from _inlined_names(child)


def _name_of(entry: Any) -> str:  # noqa: ANN401 - pyelftools
    if "DW_AT_name" in entry.attributes:
        return str(entry.attributes["DW_AT_name"].value.decode())
    if "DW_AT_abstract_origin" in entry.attributes:
        return _name_of(entry.get_DIE_from_attribute("DW_AT_abstract_origin"))
    return ""


def _relocated(elf: Any, name: str, placed: Mapping[int, int]) -> bytes:  # noqa: ANN401 - pyelftools
    data = bytearray(elf.get_section_by_name(name).data())
    table = elf.get_section_by_name(f".rela{name}")
    if table is None:
        return bytes(data)
    symbols = elf.get_section(table["sh_link"])
    entries = np.frombuffer(table.data(), _RELA)
    numbers = (entries["info"] >> np.uint64(32)).astype(np.int64)
    values = np.zeros(int(numbers.max(initial=0)) + 1, np.int64)
    for number in np.unique(numbers).tolist():
        symbol = symbols.get_symbol(number)
        base = placed.get(symbol["st_shndx"], 0)
        values[number] = base + symbol["st_value"]
    targets = values[numbers] + entries["addend"]
    kinds = entries["info"] & np.uint64(0xFFFF_FFFF)
    whole = np.frombuffer(data, np.uint8)
    for kind, size in _SIZES.items():
        chosen = kinds == kind
        places = entries["offset"][chosen].astype(np.int64)
        text = (
            targets[chosen]
            .astype(size)
            .view(np.uint8)
            .reshape(len(places), np.dtype(size).itemsize)
        )
        for column in range(text.shape[1]):
            whole[places + column] = text[:, column]
    return bytes(data)


def _rows(program: Any) -> Iterator[Row]:  # noqa: ANN401 - pyelftools
    previous = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if previous is not None and previous.address < state.address:
            file = _file_name(program, previous.file)
            yield Row(previous.address, state.address, file, previous.line)
        previous = None if state.end_sequence else state


def _file_name(program: Any, number: int) -> str:  # noqa: ANN401 - pyelftools
    old = program["version"] < 5  # noqa: PLR2004 - DWARF version
    entry = program["file_entry"][number - 1 if old else number]
    name: str = entry.name.decode()
    if entry.dir_index and old:
        directory = program["include_directory"][entry.dir_index - 1].decode()
        name = f"{directory}/{name}"
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _inlined(dwarf: Any, unit: Any, program: Any) -> Iterator[Inlined]:  # noqa: ANN401 - pyelftools
    ranges = dwarf.range_lists()
    for child in unit.get_top_DIE().iter_children():
        if child.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in child.attributes:
            yield from _calls(child, ranges, program, 0)


def _calls(parent: Any, ranges: Any, program: Any, depth: int) -> Iterator[Inlined]:  # noqa: ANN401 - pyelftools
    for child in parent.iter_children():
        inside = depth
        if child.tag == "DW_TAG_inlined_subroutine" and "DW_AT_call_line" in child.attributes:
            inside = depth + 1
            line = child.attributes["DW_AT_call_line"].value
            file = _file_name(program, child.attributes["DW_AT_call_file"].value)
            for start, end in _extent(child, ranges):
                yield Inlined(start, end, file, line, depth)
        if child.has_children:
            yield from _calls(child, ranges, program, inside)


def _extent(entry: Any, ranges: Any) -> list[tuple[int, int]]:  # noqa: ANN401 - pyelftools
    attributes = entry.attributes
    if "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
        start = attributes["DW_AT_low_pc"].value
        high = attributes["DW_AT_high_pc"]
        return [(start, high.value if high.form == "DW_FORM_addr" else start + high.value)]
    if "DW_AT_ranges" not in attributes or ranges is None:
        return []
    base = entry.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
    offset = base.value if base is not None else 0
    found = []
    for one in ranges.get_range_list_at_offset(attributes["DW_AT_ranges"].value):
        if hasattr(one, "base_address"):
            offset = one.base_address
        else:
            found.append((one.begin_offset + offset, one.end_offset + offset))
    return found
