"""The pictures of pages in the documents: they are there, small, and shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.screenshots import FIGURES, SHOTS, Shot

PAGE = Path(__file__).parents[2] / "docs" / "reports.md"


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.file)
def test_a_picture_is_small_and_shown(shot: Shot) -> None:
    """Each picture is a PNG of less than 150 KB that the page about reports shows."""
    picture = (FIGURES / shot.file).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) < 150_000
    assert f"](figures/{shot.file})" in PAGE.read_text(encoding="utf-8")
