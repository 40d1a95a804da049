"""Tests of iopermit.report.html.source: the functions around lines, in Python and in C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.report.html.model import LineOf
from iopermit.report.html.source import source_blocks, text_on_disk
from iopermit.system.site import Site

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = '''\
"""A design."""

class Design:
    def other(self) -> None:
        pass

    def ioperm(self) -> int:
        """Do it."""
        if self.full():
            return 1
        return 0
'''
C = """\
#include <linux/ioport.h>
static int unused;

/* What it does. */
static long
ksys_ioperm(unsigned long from)
{
\tif (from)
\t\treturn 1;
\treturn 0;
}
SYSCALL_DEFINE3(ioperm, unsigned long, from)
{
\treturn ksys_ioperm(from);
}
"""


def site(file: str, line: int, function: str = "ioperm") -> Site:
    """Return a place in a file."""
    return Site(file, line, 1, "text", function)


def test_a_method_of_a_design_is_shown_whole() -> None:
    """The innermost function around a line of Python is a block, with what is executed marked."""
    found = source_blocks([site("d.py", 9)], site("d.py", 11), lambda _: PYTHON)
    (block,) = found.blocks
    assert [line.number for line in block.lines] == [7, 8, 9, 10, 11]
    assert [line.number for line in block.lines if line.executed] == [9, 11]
    assert [line.number for line in block.lines if line.blamed] == [11]
    assert block.title.endswith("d.py, ioperm()")


def test_a_function_in_the_style_of_the_kernel_is_shown_with_its_head() -> None:
    """A function of C reaches from its declaration to the brace in the first column."""
    sites = [site("ioport.c", 8), site("ioport.c", 12, "SYSCALL_DEFINE3(ioperm)")]
    found = source_blocks(sites, None, lambda _: C)
    spans = [(block.lines[0].number, block.lines[-1].number) for block in found.blocks]
    assert spans == [(5, 11), (12, 15)]
    assert found.blocks[1].title.endswith("ioport.c, SYSCALL_DEFINE3(ioperm)")
    assert found.line_of(sites[1]) == LineOf(1, 12)


def test_a_line_outside_any_function_has_its_neighbours() -> None:
    """Where no function is found, some lines around are shown."""
    found = source_blocks([site("ioport.c", 2)], None, lambda _: C)
    assert [line.number for line in found.blocks[0].lines] == list(range(1, 15))


def test_a_long_function_is_cut() -> None:
    """Of a long function the surroundings of what is executed are shown."""
    text = "int long_one(void)\n{\n" + "\tx++;\n" * 500 + "}\n"
    (block,) = source_blocks([site("a.c", 250)], None, lambda _: text).blocks
    assert len(block.lines) < 60
    assert [line.number for line in block.lines if line.executed] == [250]


def test_a_file_that_is_not_there_is_not_shown() -> None:
    """Without the text of a file, or without the line in it, there is no block."""
    found = source_blocks(
        [site("gone.c", 3), site("d.py", 99)], None, {"d.py": PYTHON, "gone.c": ""}.__getitem__
    )
    assert found.blocks == ()
    assert found.line_of(site("gone.c", 3)) is None


def test_python_that_does_not_parse_is_shown_by_line() -> None:
    """A file of Python with a mistake in it still has its lines."""
    (block,) = source_blocks([site("d.py", 1)], None, lambda _: "def broken(:\n").blocks
    assert [line.text for line in block.lines] == ["def broken(:"]


def test_a_file_on_disk_is_read_or_is_empty(tmp_path: Path) -> None:
    """A readable file gives its text; any other none."""
    (tmp_path / "d.py").write_text(PYTHON)
    assert text_on_disk(str(tmp_path / "d.py")) == PYTHON
    assert text_on_disk(str(tmp_path)) == ""
    assert text_on_disk("a\0b") == ""
