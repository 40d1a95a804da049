"""A real browser for tests of pages: Debian's Chromium, without a window and without network."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from tests.support.requirements import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@dataclass
class Opened:
    """A page in the browser, and what it did beside being shown."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Messages on the console, and errors of the script."""
    requests: list[str] = field(default_factory=list)
    """What it loaded besides itself."""

    def read(self, expression: str, argument: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Return the value of an expression of JavaScript."""
        return self.page.evaluate(expression, argument)

    def faults(self) -> list[str]:
        """Return what axe finds that keeps people from using the page."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, or skip the test if it is not there."""
    chromium = require_tool("chromium")
    # Its own sandbox does not work for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(chromium), args=options)
        try:
            yield started
        finally:
            started.close()


@contextmanager
def opened(browser: Browser, file: Path, fragment: str = "", **context: Any) -> Iterator[Opened]:  # noqa: ANN401 - options of playwright
    """Open a file in a browser; see `opened_address`.

    Args:
        browser: the browser.
        file: the page.
        fragment: what follows the address, such as ``#step=2``.
        context: options of the profile, such as ``color_scheme``.
    """
    with opened_address(browser, file.as_uri() + fragment, **context) as shown:
        yield shown


@contextmanager
def opened_address(browser: Browser, address: str, **context: Any) -> Iterator[Opened]:  # noqa: ANN401 - options of playwright
    """Open an address in a browser, with a profile of its own.

    Args:
        browser: the browser.
        address: the address.
        context: options of the profile, such as ``color_scheme``.
    """
    profile = browser.new_context(**context)
    page = profile.new_page()
    # A busy machine takes its time.
    page.set_default_timeout(120_000)
    shown = Opened(page)
    page.on("console", lambda message: shown.complaints.append(message.text))
    page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    page.on("request", lambda one: shown.requests.append(one.url))
    page.goto(address)
    itself = address.partition("#")[0]
    shown.requests = [url for url in shown.requests if url.partition("#")[0] != itself]
    try:
        yield shown
    finally:
        profile.close()
