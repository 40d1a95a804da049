"""The page that defines the codes of bugs: every code in use is there, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from iopermit.designs import designs

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = (ROOT / "docs/bugs.md").read_text(encoding="utf-8")
CODE: Final = re.compile(r"\b(?:B\d{1,2}|X\d)\b'?")
ROW: Final = re.compile(
    r"^\| \[(?P<code>[BX]\d+'?)\]\(#[^)]+\) \| (?P<bug>[^|]+) \| (?P<by>[^|]+) ", re.MULTILINE
)
SECTIONS: Final = re.findall(r"^### ([BX]\d+'?) (.+)$", PAGE, re.MULTILINE)
ALL: Final = {*(f"B{n}" for n in range(1, 19)), "B2'", *(f"X{n}" for n in range(1, 7))}


def texts() -> dict[str, str]:
    """Return every text of the repository that may name a bug, by its path."""
    paths = [*ROOT.glob("*.md")]
    for folder in ("src", "docs", "tests", "tools", "examples", "benchmarks"):
        paths += (ROOT / folder).rglob("*.*")
    kinds = {".py", ".md", ".toml", ".c", ".json"}
    own = {ROOT / "docs/bugs.md", Path(__file__)}
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in kinds and path not in own
    }


def test_every_code_has_one_section_and_one_row() -> None:
    """B1 to B18, B2' and X1 to X6 each have a section, and a row of the table with its title."""
    codes = [code for code, _ in SECTIONS]
    assert sorted(codes) == sorted(ALL)
    rows = {row["code"]: row["bug"] for row in ROW.finditer(PAGE)}
    assert {code: title.partition(":")[0] for code, title in rows.items()} == dict(SECTIONS)


def test_every_code_in_use_is_defined() -> None:
    """Code, documents, tests and generated pages name no bug that the page does not define."""
    used = {code: path for path, text in texts().items() for code in CODE.findall(text)}
    assert len(used) > 15
    unknown = {code: path for code, path in used.items() if code.rstrip("'") not in ALL}
    assert not unknown


@pytest.mark.parametrize(("code", "by"), [(row["code"], row["by"]) for row in ROW.finditer(PAGE)])
def test_the_designs_named_exist(code: str, by: str) -> None:
    """Each design that is said to show a bug is in the registry, with the option that is named."""
    named = re.findall(r"`(\S+?)(?: --option (\w+))?`", by)
    assert named or by == "none", code
    for design, option in named:
        assert design in designs()
        assert not option or option in designs()[design].options


def test_designs_and_options_that_have_a_bug_say_its_code() -> None:
    """A design whose text names a bug as its own is in the row of that bug, or in the section."""
    sections = dict(zip([code for code, _ in SECTIONS], PAGE.split("\n### ")[1:], strict=True))
    for design in designs().values():
        for option, meaning in design.options.items():
            for code in CODE.findall(meaning):
                row = next(row["by"] for row in ROW.finditer(PAGE) if row["code"] == code)
                assert f"`{design.id} --option {option}`" in row + sections[code]
