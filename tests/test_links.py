"""Links between the documents lead to files and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LINK: Final = re.compile(r"\]\((?P<target>[^)\s]+)\)")
FENCED: Final = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
NAMED: Final = re.compile(r"`(?P<file>(?:[\w.]+/)+[\w.]+\.py)(?::\d+)?`")
HEADING: Final = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)


def documents() -> list[Path]:
    """Return every document of the repository."""
    folders = ("docs", "examples", ".github")
    return [*ROOT.glob("*.md"), *(path for each in folders for path in (ROOT / each).rglob("*.md"))]


def anchors(document: Path) -> set[str]:
    """Return what `#...` may name in a document, by GitHub's rule."""
    found: list[str] = []
    for heading in HEADING.finditer(FENCED.sub("", document.read_text(encoding="utf-8"))):
        words = re.sub(r"[^\w\- ]", "", heading["title"].lower())
        slug = words.replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def dead_links(document: Path) -> list[str]:
    """Return the links of a document, to other files of the repository, that lead nowhere."""
    dead = []
    for link in LINK.finditer(FENCED.sub("", document.read_text(encoding="utf-8"))):
        name, _, anchor = link["target"].partition("#")
        file = document.parent / name if name else document
        if "://" in link["target"] or name.startswith("mailto:"):
            continue
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(link["target"])
    return dead


def test_every_link_leads_somewhere() -> None:
    """Each link from one document to another names a file, and a heading in it, that exist."""
    found = {str(path.relative_to(ROOT)): dead_links(path) for path in documents()}
    assert len(found) > 15
    assert not {path: links for path, links in found.items() if links}


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """A missing file, and a heading that is no longer there, are found; code blocks are no text."""
    (tmp_path / "other.md").write_text("# What `a_b()` does: it's this\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](#here) [b](other.md#what-a_b-does-its-this) [c](https://example.org/none)\n"
        "[d](none.md) [e](other.md#gone) [f](#there)\n```\n[g](none.md)\n```\n"
    )
    assert dead_links(page) == ["none.md", "other.md#gone", "#there"]


def test_every_file_of_the_code_that_is_named_is_there() -> None:
    """A file of Python that a document names is there, from the root or from the package."""
    named = {
        (str(page.relative_to(ROOT)), name["file"])
        for page in documents()
        for name in NAMED.finditer(page.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    tops = (ROOT, ROOT / "src/iopermit")
    assert not {
        (page, file) for page, file in named if not any((top / file).is_file() for top in tops)
    }
