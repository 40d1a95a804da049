"""One word for one thing: no class name is defined twice."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CODE: Final = Path(__file__).parent.parent / "src/iopermit"

SECOND_READINGS: Final = {
    # Each design is a file of its own. It declares state by the names of the language (Task, Cpu,
    # Tss, Globals) and of its kernel (IoBitmap, BitmapBlock): the same words for the same things.
    CODE / "designs",
    # The checker of certificates reads the language a second time, on purpose without a line of
    # the translator: the same words for the same things (Method, Scope, Step, Specification).
    CODE / "certify",
}
"""Folders whose classes may have the names of others."""


def classes(file: Path) -> set[str]:
    """Return the names of the classes that a file defines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def defined_twice(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the names of classes that several files define, with these files."""
    places = defaultdict(list)
    for file in files:
        for name in classes(file):
            places[name].append(file)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_class_name_is_defined_twice() -> None:
    """Whoever reads the name of a class knows which one is meant."""
    readings = {file for folder in SECOND_READINGS for file in folder.rglob("*.py")}
    assert not defined_twice(set(CODE.rglob("*.py")) - readings)


def test_no_class_name_is_defined_twice_in_certify() -> None:
    """Among themselves the classes of the second reader have names of their own."""
    assert not defined_twice((CODE / "certify").rglob("*.py"))


def test_a_name_defined_twice_is_found(tmp_path: Path) -> None:
    """Classes in functions and classes count, too; a class used elsewhere is not defined there."""
    texts = ("class One: pass", "def f():\n    class One: pass", "from a import One\nTwo = One")
    files = [tmp_path / f"{number}.py" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    assert defined_twice(files) == {"One": files[:2]}
