"""Which C line and function an instruction belongs to (DWARF), and which lines were executed."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from elftools.elf.elffile import ELFFile

from iopermit.system.site import Site

_ABSOLUTE: Final = 1
"""R_X86_64_64: in DWARF 4 line programs, the relocations of DW_LNE_set_address only."""
_FUNCTION: Final = re.compile(r"^(?!#|typedef|return|goto|if|else|struct\s+\w+\s*\{)[A-Za-z_]")
_NAME: Final = re.compile(r"(\w+)\s*\(")
_FILES: Final = (
    "arch/x86/kernel/ioport.c",
    "arch/x86/kernel/process.c",
    "arch/x86/kernel/process_64.c",
    "arch/x86/kernel/process.h",
    "arch/x86/include/asm/io_bitmap.h",
    "arch/x86/include/asm/desc.h",
    "arch/x86/include/asm/entry-common.h",
    "arch/x86/entry/common.c",
)
"""Where the subsystem's code is: steps of a schedule are lines of these files."""
_WHOLE: Final = "arch/x86/kernel/ioport.c"
_PARTLY: Final = ("arch/x86/kernel/process.c", "arch/x86/kernel/process.h")
_ABOUT: Final = re.compile(r"io_bitmap|IO_BITMAP|iopl", re.IGNORECASE)


@dataclass(frozen=True)
class _Row:
    """One row of a line table."""

    start: int
    end: int
    file: str
    line: int


class Lines:
    """The line tables of the subsystem's objects."""

    def __init__(
        self,
        placed: Mapping[Path, Mapping[int, int]],
        text_of: Callable[[str], str],
    ) -> None:
        """Read them.

        Args:
            placed: the objects, and the addresses of their sections.
            text_of: gives the text of a source file, relative to the tree.
        """
        self._text_of = text_of
        self._texts: dict[str, list[str]] = {}
        rows = [row for path, sections in placed.items() for row in _rows(path, sections)]
        self._rows = sorted(rows, key=lambda row: row.start)
        self._starts = [row.start for row in self._rows]

    def site(self, address: int) -> Site | None:
        """Return the line of the subsystem that an instruction belongs to, or None."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        row = self._rows[index]
        if address >= row.end or row.file not in _FILES:
            return None
        return self.place(row.file, row.line)

    def place(self, file: str, line: int) -> Site:
        """Return a line with its text and function."""
        lines = self._lines(file)
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        return Site(file, line, 0, text, self.function(file, line))

    def function(self, file: str, line: int) -> str:
        """Return the C function that a line is in: its definition begins in the first column."""
        lines = self._lines(file)
        for number in range(min(line, len(lines)), 0, -1):
            text = lines[number - 1]
            if _FUNCTION.match(text) and "(" in text and not text.rstrip().endswith(";"):
                name = _NAME.search(text)
                if name is None or text.rstrip().endswith(":"):
                    continue
                if name[1].startswith("SYSCALL_DEFINE"):
                    return f"{name[1]}({text.partition('(')[2].partition(',')[0].strip(' )')})"
                return name[1]
        return ""

    def _lines(self, file: str) -> list[str]:
        if file not in self._texts:
            self._texts[file] = self._text_of(file).splitlines()
        return self._texts[file]

    def coverage(self, executed: Iterable[tuple[int, int]]) -> tuple[list[Site], list[Site]]:
        """Return the subsystem's lines that were executed, and those that never were.

        Args:
            executed: address and size of the basic blocks that were executed.
        """
        blocks = sorted(set(executed))
        starts = [start for start, _ in blocks]
        done: dict[tuple[str, int], bool] = {}
        for row in self._rows:
            if not self._is_subsystem(row.file, row.line):
                continue
            index = bisect.bisect_right(starts, row.start) - 1
            # Blocks overlap where one is entered in the middle: look at a few of them.
            near = blocks[max(0, index - 8) : index + 1]
            hit = any(start <= row.start < start + size for start, size in near)
            key = (row.file, row.line)
            done[key] = done.get(key, False) or hit
        sites = {key: self.place(*key) for key in sorted(done)}
        return [sites[k] for k in sites if done[k]], [sites[k] for k in sites if not done[k]]

    def _is_subsystem(self, file: str, line: int) -> bool:
        if file == _WHOLE:
            return True
        if file not in _PARTLY:
            return False
        return self.function(file, line) in self._functions_about(file)

    def _functions_about(self, file: str) -> frozenset[str]:
        """Return the functions of a file that mention the bitmap."""
        key = f"{file}:functions"
        if key not in self._texts:
            found = {
                self.function(file, number)
                for number, text in enumerate(self._lines(file), 1)
                if _ABOUT.search(text)
            }
            self._texts[key] = sorted(found - {""})
        return frozenset(self._texts[key])


def _rows(path: Path, sections: Mapping[int, int]) -> list[_Row]:
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        table = elf.get_section_by_name(".rela.debug_line")
        if table is None or not elf.has_dwarf_info():
            return []
        symbols = elf.get_section(table["sh_link"])
        places = []
        for relocation in sorted(table.iter_relocations(), key=lambda r: r["r_offset"]):
            if relocation["r_info_type"] == _ABSOLUTE:
                symbol = symbols.get_symbol(relocation["r_info_sym"])
                base = sections.get(symbol["st_shndx"])
                offset = symbol["st_value"] + relocation["r_addend"]
                places.append(None if base is None else base + offset)
        dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False)
        program = next((dwarf.line_program_for_CU(cu) for cu in dwarf.iter_CUs()), None)
        return [] if program is None else _program_rows(program, places)


def _program_rows(program: Any, places: list[int | None]) -> list[_Row]:  # noqa: ANN401
    files = [_file_name(program, entry) for entry in program["file_entry"]]
    first = 0 if program["version"] >= 5 else 1  # noqa: PLR2004 - DWARF version
    rows: list[_Row] = []
    sequence, previous = 0, None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        base = places[sequence] if sequence < len(places) else None
        if previous is not None and base is not None and previous.address < state.address:
            rows.append(
                _Row(
                    base + previous.address,
                    base + state.address,
                    files[previous.file - first],
                    previous.line,
                )
            )
        previous = state
        if state.end_sequence:
            sequence, previous = sequence + 1, None
    return rows


def _file_name(program: Any, entry: Any) -> str:  # noqa: ANN401 - pyelftools
    name: str = entry.name.decode()
    if entry.dir_index and program["version"] < 5:  # noqa: PLR2004 - DWARF version
        directory = program["include_directory"][entry.dir_index - 1].decode()
        name = f"{directory}/{name}"
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
