"""The site of docs/: it builds without warnings, its links lead somewhere, and it loads nothing."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.tools.site import dead_links_of_site, read_page
from tools.site.matrix import wanted_reports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT: Final = Path(__file__).resolve().parents[3]
OPENED: Final = ("index.html", "how-the-bitmap-works.html", "reference/permission-check.html")


def build(site: Path, reports: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs-site` does, with reports from another directory."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(site)],
        cwd=ROOT,
        env=os.environ | {"IOPERMIT_SITE_REPORTS": str(reports), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the site, with empty pages in the place of the reports."""
    reports = tmp_path_factory.mktemp("reports")
    for name in wanted_reports():
        (reports / name).write_text("<!doctype html><title>a report</title>", encoding="utf-8")
    built = tmp_path_factory.mktemp("site")
    done = build(built, reports)
    assert done.returncode == 0, done.stderr
    return built


def test_every_document_is_a_page(site: Path) -> None:
    """Each Markdown file of docs/ is a page of the site, and each report is there."""
    documents = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert len(documents) > 30
    assert not [page for page in documents if not (site / page.with_suffix(".html")).is_file()]
    assert not [name for name in wanted_reports() if not (site / "reports" / name).is_file()]


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    """Each link from one page to another names a file, and an anchor in it, that exist."""
    assert not dead_links_of_site(site)


def test_a_dead_link_of_a_site_is_found(tmp_path: Path) -> None:
    """A missing file, picture or anchor is found; other sites are not looked at."""
    (tmp_path / "a.html").write_text(
        '<h1 id="x">A</h1><a href="#x"></a><a href="b.html#y"></a><a href="c.html"></a>'
        '<img src="none.svg"><a href="https://example.org/"></a><a href="b.html"></a>'
    )
    (tmp_path / "b.html").write_text("<p>B</p>")
    assert dead_links_of_site(tmp_path) == [
        "a.html: b.html#y", "a.html: c.html", "a.html: none.svg"
    ]  # fmt: skip


def test_no_page_names_something_elsewhere_to_load(site: Path) -> None:
    """Scripts, styles, fonts and pictures of every page are files of the site."""
    loaded = {each for file in site.rglob("*.html") for each in read_page(file).loaded}
    assert len(loaded) > 10
    assert not [each for each in loaded if "//" in each]
    styles = [file.read_text(encoding="utf-8") for file in site.rglob("*.css")]
    assert styles
    assert not [text for text in styles if "url(http" in text or "url(//" in text]


@pytest.mark.parametrize("name", OPENED)
def test_a_browser_loads_nothing_from_elsewhere(site: Path, chromium: Browser, name: str) -> None:
    """Opened in Chromium, a page asks for files of the site only, and shows every picture."""
    asked: list[str] = []
    page = chromium.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / name).as_uri(), wait_until="networkidle")
    broken = page.evaluate("() => [...document.images].filter(i => !i.naturalWidth).length")
    page.close()
    assert len(asked) > 3
    assert not [url for url in asked if not url.startswith(site.as_uri())]
    assert broken == 0


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Give the address at which a server of this machine has the site."""
    handler = functools.partial(QuietHandler, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and tells nobody."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_served_site_can_be_searched(address: str, chromium: Browser) -> None:
    """Served by any web server, the site finds words, and asks nobody else for that."""
    asked: list[str] = []
    page = chromium.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}index.html", wait_until="networkidle")
    page.click("input[name=query]")
    # The page looks for words when a key comes up, once its index is there.
    page.wait_for_selector(".md-search-result__meta:not(:empty)")
    page.keyboard.type("terminator")
    page.wait_for_selector(".md-search-result__link")
    found = page.get_attribute(".md-search-result__link", "href") or ""
    page.close()
    assert found.startswith((address, "how-the-bitmap-works.html", "./"))
    assert not [url for url in asked if not url.startswith((address, "blob:"))]


def test_a_missing_report_is_a_failure(tmp_path: Path) -> None:
    """Without the reports that the matrix leads to, the site is not built."""
    done = build(tmp_path / "site", tmp_path)
    assert done.returncode == 1
    assert "python -m tools.site.reports" in done.stderr
