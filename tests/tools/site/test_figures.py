"""The drawings of the documents: readable in light and dark, and told in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"
SVG: Final = "{http://www.w3.org/2000/svg}"
DRAWN: Final = ("tss.svg", "port-to-bit.svg", "base-moves.svg", "stale-leak.svg")


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_has_words_and_both_colours(name: str) -> None:
    """Each drawing has a title, a description, colours for dark, and loads nothing."""
    text = (DOCS / "figures" / name).read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - a file of the repository
    told = [root.findtext(f"{SVG}{part}") or "" for part in ("title", "desc")]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert all(len(words) > 20 for words in told)
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"href|url\(|<script", text)


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_shown_with_a_text(name: str) -> None:
    """The page about the bitmap shows each drawing, with a sentence that says the same."""
    page = (DOCS / "how-the-bitmap-works.md").read_text(encoding="utf-8")
    shown = re.search(rf"!\[([^]]+)\]\(figures/{re.escape(name)}\)", page)
    assert shown is not None
    assert len(shown[1]) > 60
