"""Which C line and function an instruction belongs to (DWARF), and which lines were executed."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Final

from iopermit.kernel.image.dwarf import Inlined, Row, read_debug_information
from iopermit.system.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_FUNCTION: Final = re.compile(r"^(?!#|typedef|return|goto|if|else|struct\s+\w+\s*\{)[A-Za-z_]")
_NAME: Final = re.compile(r"(\w+)\s*\(")
_FILES: Final = (
    "arch/x86/kernel/ioport.c",
    "arch/x86/kernel/process.c",
    "arch/x86/kernel/process_64.c",
    "arch/x86/kernel/process.h",
    "arch/x86/include/asm/io_bitmap.h",
    "arch/x86/include/asm/iobitmap.h",
    "arch/x86/include/asm/desc.h",
    "arch/x86/include/asm/entry-common.h",
    "arch/x86/entry/common.c",
    "arch/x86/xen/enlighten_pv.c",
)
"""Where the subsystem's code is: steps of a schedule are lines of these files."""
_WHOLE: Final = "arch/x86/kernel/ioport.c"
_PARTLY: Final = ("arch/x86/kernel/process.c", "arch/x86/kernel/process.h")
_BY_NAME: Final = "arch/x86/xen/enlighten_pv.c"
"""Of this file the functions that are named after the bitmap: others set up the whole guest."""
_ABOUT: Final = re.compile(r"io_bitmap|IO_BITMAP|iopl", re.IGNORECASE)


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
        rows: list[Row] = []
        self._inlined: list[Inlined] = []
        for path, sections in placed.items():
            more, inlined = read_debug_information(path, sections)
            rows += more
            # Outside the subsystem's files, what calls a helper from there is told instead.
            self._inlined += [one for one in inlined if one.file in _FILES]
        self._rows = sorted(rows, key=lambda row: row.start)
        self._with_code: set[tuple[str, int]] = set()
        self._starts = [row.start for row in self._rows]

    def site(self, address: int) -> Site | None:
        """Return the line of the subsystem that an instruction belongs to, or None."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        row = self._rows[index]
        if address >= row.end:
            return None
        if row.file in _FILES:
            return self.place(row.file, row.line)
        calls = [one for one in self._inlined if one.start <= address < one.end]
        if not calls:
            return None
        innermost = max(calls, key=lambda one: one.depth)
        return self.place(innermost.file, innermost.line)

    def calls(self, address: int, among: frozenset[tuple[str, int]]) -> list[Site]:
        """Return which lines of `among` call a function that is inlined there, outermost first."""
        if not among:
            return []
        inside = [one for one in self._inlined if one.start <= address < one.end]
        inside.sort(key=lambda one: one.depth)
        return [self.place(one.file, one.line) for one in inside if (one.file, one.line) in among]

    def has_code(self, file: str, line: int) -> bool:
        """Return whether some instruction belongs to a line."""
        if not self._with_code:
            self._with_code.update((row.file, row.line) for row in self._rows)
            self._with_code.update((call.file, call.line) for call in self._inlined)
        return (file, line) in self._with_code

    def without_code(self, places: Iterable[tuple[str, int]]) -> list[Site]:
        """Return the lines that have no code, the first one last: code was taken away there.

        So it was before the end of a function, of which the code is that of leaving it.
        """
        sites = [self.place(*place) for place in sorted(places, reverse=True)]
        found = [one for one in sites if one.text == "}" or not self.has_code(one.file, one.line)]
        return [site for site in found if site.text]

    def executed(
        self, places: Iterable[tuple[str, int]], blocks: Iterable[tuple[int, int]]
    ) -> set[tuple[str, int]]:
        """Return the lines of which some code was executed.

        Args:
            places: files and numbers of lines.
            blocks: address and size of the basic blocks that were executed.
        """
        wanted, hit = set(places), _Blocks(blocks).hit
        rows: list[Row | Inlined] = [*self._rows, *self._inlined]
        return {(r.file, r.line) for r in rows if (r.file, r.line) in wanted and hit(r)}

    def with_code(self, function: str, file: str) -> set[tuple[str, int]]:
        """Return the lines of a function that have code."""
        self.has_code(file, 0)
        return {
            place
            for place in self._with_code
            if place[0] == file and self.function(*place) == function
        }

    def place(self, file: str, line: int) -> Site:
        """Return a line with its text and function."""
        lines = self._lines(file)
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        return Site(file, line, 0, text, self.function(file, line))

    def function(self, file: str, line: int) -> str:
        """Return the C function that a line is in: its definition begins in the first column.

        A table that is initialised is in none.
        """
        lines = self._lines(file)
        for number in range(min(line, len(lines)), 0, -1):
            text = lines[number - 1]
            if _FUNCTION.match(text) and text.rstrip().endswith("= {"):
                return ""
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
        blocks = _Blocks(executed)
        done: dict[tuple[str, int], bool] = {}
        places: list[Row | Inlined] = [*self._rows, *self._inlined]
        for row in places:
            if not self._is_subsystem(row.file, row.line):
                continue
            key = (row.file, row.line)
            done[key] = done.get(key, False) or blocks.hit(row)
        sites = {key: self.place(*key) for key in sorted(done)}
        return [sites[k] for k in sites if done[k]], [sites[k] for k in sites if not done[k]]

    def _is_subsystem(self, file: str, line: int) -> bool:
        if file == _WHOLE:
            return True
        if file == _BY_NAME:
            return _ABOUT.search(self.function(file, line)) is not None
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


class _Blocks:
    """Basic blocks that were executed."""

    def __init__(self, executed: Iterable[tuple[int, int]]) -> None:
        self._blocks = sorted(set(executed))
        self._starts = [start for start, _ in self._blocks]

    def hit(self, row: Row | Inlined) -> bool:
        """Return whether the first instruction of a row was executed."""
        index = bisect.bisect_right(self._starts, row.start) - 1
        # Blocks overlap where one is entered in the middle: look at a few of them.
        near = self._blocks[max(0, index - 8) : index + 1]
        return any(start <= row.start < start + size for start, size in near)
