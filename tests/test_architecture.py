"""The page about the architecture: its files and symbols exist, and its routes are those taken."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.support.kernel.trees import require_tree
from tests.support.requirements import shared_cache

from iopermit.cli import ExitCode

ROOT: Final = Path(__file__).parent.parent
CODE: Final = ROOT / "src/iopermit"
PAGE: Final = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
MOST_FILES: Final = 3
"""Whoever asks a question opens so many files."""


@dataclass(frozen=True)
class Row:
    """A row of a table of the page: what it is about, and where that is."""

    about: str
    files: tuple[str, ...]
    symbols: tuple[str, ...]


def rows(heading: str) -> list[Row]:
    """Return the rows of the table below a heading; files and symbols are the last two columns."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and "---" not in line and "`" in line:
            files, symbols = (tuple(re.findall(r"`([^`]+)`", cell)) for cell in cells[-2:])
            found.append(Row(cells[0], files, symbols))
    return found


def place(name: str) -> Path:
    """Return the file that the page names: from the package, or from the root of the repository."""
    return ROOT / name if name.startswith(("docs/", "tests/")) else CODE / name


def defined(file: Path) -> set[str]:
    """Return what a module defines: `name`, and `Class.name` for what is in a class."""
    found: set[str] = set()

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                found.add(f"{prefix}{child.name}")
            if isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")
            if isinstance(child, ast.Assign | ast.AnnAssign):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                found.update(f"{prefix}{ast.unparse(target)}" for target in targets)
            if isinstance(child, ast.If | ast.Try):
                visit(child, prefix)

    visit(ast.parse(file.read_text(encoding="utf-8")), "")
    return found


QUESTIONS: Final = "Where is it"
ROUTES: Final = ("The way of a design", "The way of a kernel tree", "The way of a program")
TREE_BOUNDS: Final = (
    *("--events", "ioperm,preempt", "--cpus", "1"),
    *("--tasks", "2", "--longs", "1"),
)
"""The smallest scenario in which Linux 6.12 leaks a port."""
ASKED: Final = (
    "is a state packed",
    "is symmetry applied",
    "add an event",
    "add a field type",
    "add a reduction",
    "add an output format",
    "add a system call",
    "add a host function",
)


@pytest.mark.parametrize("heading", [QUESTIONS, *ROUTES])
def test_files_and_symbols_exist(heading: str) -> None:
    """Every file that the page names is there, and defines what the page says is in it."""
    table = rows(heading)
    assert len(table) >= 5
    for row in table:
        assert row.files, row.about
        there = set().union(*(defined(place(name)) for name in row.files if name.endswith(".py")))
        assert not [name for name in row.files if not place(name).is_file()], row.about
        assert not [name for name in row.symbols if name.removesuffix("()") not in there], row.about


@pytest.mark.parametrize("question", ASKED)
def test_a_question_is_answered_by_three_files(question: str) -> None:
    """Each question of somebody new has a row, which sends him to three files or fewer."""
    (row,) = (row for row in rows(QUESTIONS) if question in row.about)
    assert row.symbols
    assert 1 <= len(row.files) <= MOST_FILES


def test_each_folder_is_named() -> None:
    """The page says of every folder of the package what it is for."""
    folders = {
        str(file.parent.relative_to(CODE))
        for file in CODE.rglob("*.py")
        if file.parent not in (CODE, CODE / "designs/linux")
    }
    assert not [folder for folder in folders if f"\n| `{folder}` | " not in PAGE]


TRACED: Final = """
import inspect, os, sys
from iopermit.cli import main

entered = set()

def note(frame, event, _):
    code = frame.f_code
    # The body of a class is no function.
    if event == "call" and code.co_flags & inspect.CO_OPTIMIZED and code not in entered:
        entered.add(code)
        file = code.co_filename.rpartition("/src/iopermit/")[2]
        name = code.co_qualname.removesuffix(".__init__")
        os.write(2, f"entered {file} {name}\\n".encode())

sys.setprofile(note)
sys.exit(main(sys.argv[1:]))
"""
"""Tells on standard error, also from a process that has nothing else left, what is entered."""


def way(heading: str) -> list[tuple[str, str]]:
    """Return the files and symbols of a way, in its order; a build of an earlier run is used."""
    return [
        (row.files[0], symbol.removesuffix("()"))
        for row in rows(heading)
        for symbol in row.symbols
        if "unless built before" not in row.about
    ]


def taken(cache: Path, *command: str) -> tuple[int, list[tuple[str, str]]]:
    """Run iopermit; return its exit status, and what it entered, in the order of the first time."""
    process = subprocess.run(
        [sys.executable, "-c", TRACED, *command],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (line.split() for line in process.stderr.splitlines())
    entered = [(line[1], line[2]) for line in lines if line[:1] == ["entered"]]
    return process.returncode, list(dict.fromkeys(entered))


def test_a_design_takes_the_way_of_the_page(tmp_path: Path) -> None:
    """A check of a design enters what the page lists in its order, each for the first time."""
    status, entered = taken(tmp_path, "check", "linux-v2-06", "--quiet")
    wanted = way(ROUTES[0])
    assert status == ExitCode.VIOLATED
    assert [each for each in entered if each in wanted] == wanted


def test_a_kernel_tree_takes_the_way_of_the_page() -> None:
    """A check of a kernel tree enters what the page lists in its order, each for the first time."""
    command = ("check", "--kernel", str(require_tree("6.12")), "--quiet", *TREE_BOUNDS)
    status, entered = taken(shared_cache(), *command)
    wanted = way(ROUTES[1])
    assert status == ExitCode.VIOLATED
    assert [each for each in entered if each in wanted] == wanted


def test_a_program_takes_the_way_of_the_page(tmp_path: Path) -> None:
    """A run of a program enters what the page lists in its order, each for the first time."""
    status, entered = taken(tmp_path, "run", "/bin/true")
    wanted = way(ROUTES[2])
    assert status == 0
    assert [each for each in entered if each in wanted] == wanted
