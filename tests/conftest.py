"""What all tests share: external programs that may be absent, and Hypothesis profiles."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser
from tests.support.report.browser import browser
from tests.support.requirements import require_tool, shared_cache

# Timings on a shared machine say nothing about a property, hence no deadline. In continuous
# integration the examples are the same at every run.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


# Machine code of tests never comes to the cache that its user has for real designs.
os.environ["XDG_CACHE_HOME"] = str(shared_cache())


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test machine code of its own: one that changes an analysis makes other code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def require() -> Callable[[str], Path]:
    """Give tests `require("spin")`: the path of the program, or a skip (see `require_tool`)."""
    return require_tool


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give the tests of a module a browser; without Chromium they skip.

    Playwright has an event loop as long as it is there, and a thread can have only one.
    """
    with browser() as started:
        yield started
