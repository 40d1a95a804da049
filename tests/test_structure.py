"""The house rules of the code: no import circles, small folders, small files that say what for."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grimp
import networkx as nx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parent.parent
CODE: Final = ("src", "tests", "benchmarks", "tools", "examples")
MOST_FILES: Final = 18
MOST_LINES: Final = 350
CATALOGUES: Final = {"src/iopermit/designs/linux"}
"""One file per design: as many as there are designs."""


def import_circles(package: str) -> list[set[str]]:
    """Return the modules that import each other, directly or not, those for types included."""
    imports = grimp.build_graph(package, cache_dir=None, exclude_type_checking_imports=False)
    edges = nx.DiGraph(
        (importer, imported)
        for importer in imports.modules
        for imported in imports.find_modules_directly_imported_by(importer)
    )
    return [each for each in nx.strongly_connected_components(edges) if len(each) > 1]


def files() -> list[Path]:
    """Return every file that belongs to the code, with its path from the root."""
    found = (path for folder in CODE for path in (ROOT / folder).rglob("*"))
    return [
        path.relative_to(ROOT)
        for path in found
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    ]


def python_files() -> list[Path]:
    """Return every Python file that belongs to the code, with its path from the root."""
    return [path for path in files() if path.suffix == ".py"]


def full_folders(paths: Iterable[Path]) -> set[str]:
    """Return the folders with more files of their own than a reader takes in."""
    counted = Counter(str(path.parent) for path in paths)
    return {folder for folder, count in counted.items() if count > MOST_FILES}


def says_what_for(text: str) -> bool:
    """Tell whether a file of Python begins, on its first line, with a sentence about itself."""
    docstring = ast.get_docstring(ast.parse(text))
    return bool(docstring) and text.startswith('"""') and not text.startswith('"""\n')


def test_no_module_imports_itself_by_a_detour() -> None:
    """No two modules need each other, not even for their types."""
    assert not import_circles("iopermit")


@pytest.mark.parametrize("guard", ["if True:", "if TYPE_CHECKING:", "def later() -> None:"])
def test_a_circle_is_found(guard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two modules that import each other are found: at once, for types, or in a function."""
    package = tmp_path / "going_round"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("from going_round import two\n")
    (package / "two.py").write_text(
        f"from typing import TYPE_CHECKING\n{guard}\n    from going_round import one\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    assert import_circles("going_round") == [{"going_round.one", "going_round.two"}]


def test_no_folder_has_more_files_than_a_reader_takes_in() -> None:
    """Every folder has 18 files of its own or fewer; only a catalogue of designs may have more."""
    assert not full_folders(files()) - CATALOGUES


def test_a_full_folder_is_found() -> None:
    """Files of folders below do not count, and the nineteenth file is one too many."""
    below = [Path("a", str(number), "b.py") for number in range(MOST_FILES + 1)]
    own = [Path("a", f"{number}.py") for number in range(MOST_FILES)]
    assert not full_folders(below + own)
    assert full_folders([*below, *own, Path("a", "c")]) == {"a"}


def test_no_file_is_longer_than_a_reader_follows() -> None:
    """Every file of Python has 350 lines or fewer."""
    lines = {str(path): len((ROOT / path).read_bytes().splitlines()) for path in python_files()}
    assert not {path: count for path, count in lines.items() if count > MOST_LINES}


def test_every_file_says_what_it_is_for() -> None:
    """The first line of every file of Python is a sentence that says what the file is for."""
    texts = {str(path): (ROOT / path).read_text(encoding="utf-8") for path in python_files()}
    assert not [path for path, text in texts.items() if not says_what_for(text)]
    assert not says_what_for("import ast\n")
    assert not says_what_for('"""\nToo late."""\n')


def test_helpers_of_tests_lie_in_one_place() -> None:
    """Beside the tests lie only tests and fixtures; what tests share is in tests/support."""
    others = [
        str(path)
        for path in python_files()
        if path.parts[0] == "tests"
        and path.parts[1] != "support"
        and path.name != "conftest.py"
        and not path.name.startswith("test_")
    ]
    assert not others


def test_no_test_imports_another() -> None:
    """What two tests need is in tests/support: no test breaks because another one moves."""
    found = [
        f"{path}: {line}"
        for path in python_files()
        for line in (ROOT / path).read_text(encoding="utf-8").splitlines()
        if re.match(r"from tests\.(?!support\b)|import tests\.(?!support\b)", line)
    ]
    assert not found
