"""Reads the pages of a built site: their anchors, their links, and what they load."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_LOADED: Final = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@dataclass
class SitePage(HTMLParser):
    """What one page has.

    Attributes:
        anchors: what `#...` can name.
        links: where its links lead to.
        loaded: what the browser fetches to show it.
    """

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to parse."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element has."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in _LOADED and _LOADED[tag] in values:
            self.loaded.append(values[_LOADED[tag]])


def read_page(file: Path) -> SitePage:
    """Return what a page has."""
    page = SitePage()
    page.feed(file.read_text(encoding="utf-8"))
    return page


def dead_links_of_site(site: Path) -> list[str]:
    """Return the links, and what is loaded, that lead nowhere inside of a built site."""
    pages = {file: read_page(file) for file in site.rglob("*.html")}
    dead = []
    for file, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or file.name == "404.html":
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            known = pages.get(target)
            # What a report's own script reads, such as #step=3, is no anchor.
            anchor = parts.fragment if "=" not in parts.fragment else ""
            there = target.exists() and (not anchor or known is None or anchor in known.anchors)
            if not there:
                dead.append(f"{file.relative_to(site)}: {link}")
    return dead
