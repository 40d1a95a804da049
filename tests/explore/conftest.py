"""What the tests of exploring share: one browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.report.browser import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Give a browser; without Chromium the test skips."""
    with browser() as started:
        yield started
