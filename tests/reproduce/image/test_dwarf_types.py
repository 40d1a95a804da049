"""Members of structures are found by debug information as gcc has laid them out."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.requirements import require_tool

from iopermit.reproduce.image.dwarf_types import DebugTypes

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
typedef struct { char pad[6]; int second; } inner_t;
struct outer {
    char a;
    const volatile inner_t in;
    union { char one; struct { long long pad; short other; }; };
};
struct outer used;
"""
LAYOUT = {"a": 0, "in": 4, "in.second": 12, "one": 16, "other": 24}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an object with debug information."""
    file = tmp_path_factory.mktemp("object") / "x.o"
    command = [str(require_tool("gcc")), "-g", "-c", "-x", "c", "-o", str(file), "-"]
    subprocess.run(command, input=SOURCE.encode(), check=True)
    return file


@pytest.mark.parametrize("path", LAYOUT)
def test_a_member_is_found(path: str, compiled: Path) -> None:
    """Offsets count from the outermost structure, through names, qualifiers and unions."""
    with DebugTypes(compiled) as types:
        assert types.offset("outer", path) == LAYOUT[path]


@pytest.mark.parametrize(
    ("structure", "path"), [("outer", "b"), ("outer", "a.b"), ("missing", "a")]
)
def test_a_missing_member_is_named(structure: str, path: str, compiled: Path) -> None:
    """A structure or a member that is not there is a KeyError that names it."""
    wanted = path if structure == "outer" else "struct missing"
    with DebugTypes(compiled) as types, pytest.raises(KeyError, match=wanted):
        types.offset(structure, path)


def test_an_object_without_debug_information_is_refused(tmp_path: Path) -> None:
    """Without DWARF there is a message that names the file."""
    file = tmp_path / "x.o"
    command = [str(require_tool("gcc")), "-c", "-x", "c", "-o", str(file), "-"]
    subprocess.run(command, input=SOURCE.encode(), check=True)
    with pytest.raises(ValueError, match=r"x\.o has no debug information"):
        DebugTypes(file)
