"""Takes the pictures of pages for the documents: needs Debian's Chromium, and the dev tools."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import sync_playwright

from iopermit.cli import main as iopermit

FIGURES: Final = Path(__file__).resolve().parent.parent / "docs" / "figures"


class Shot(NamedTuple):
    """A picture: of which page, at which step, in which colours."""

    file: str
    command: tuple[str, ...]
    fragment: str
    colours: str
    height: int


SHOTS: Final = (
    Shot("report-leak.png", ("check", "linux-v2-06"), "#step=4", "light", 640),
    Shot(
        "report-two-cpus.png",
        ("check", "linux-5.5", "--cpus", "2", "--tasks", "2", "--longs", "1"),
        "#step=4",
        "dark",
        700,
    ),
)
_HIDE: Final = "() => { document.querySelector('details.reading').open = false; }"


def main() -> None:
    """Write the pictures of SHOTS."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("needs the program 'chromium', of Debian's package of that name")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        for shot in SHOTS:
            file = Path(directory, "page.html")
            with contextlib.redirect_stdout(io.StringIO()):
                iopermit([*shot.command, "--html", str(file)])
            size = {"width": 1280, "height": shot.height}
            page = browser.new_page(viewport=size, color_scheme=shot.colours)  # type: ignore[arg-type, unused-ignore]  # two words
            page.goto(file.as_uri() + shot.fragment)
            page.evaluate(_HIDE)
            page.screenshot(path=FIGURES / shot.file)
        browser.close()


if __name__ == "__main__":
    main()
