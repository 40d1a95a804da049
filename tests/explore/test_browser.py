"""Exploring in a real browser: buttons, keys, the saved schedule, and that everybody can use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run, start
from tests.support.report.browser import opened_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Give the address at which a design can be explored."""
    process = start("explore", "linux-v2-06", cwd=tmp_path)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=60)


def test_a_person_walks_to_the_leak_and_saves_it(
    address: str, chromium: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clicking leads to the leak; the saved file is what `iopermit replay` takes."""
    saved = tmp_path / "leak.json"
    with opened_address(chromium, address) as shown:
        page = shown.page
        page.click("text='ioperm(0, 65536, 1)'")
        page.click("text='switch_to() to B'")
        page.click("text='after step 1'")
        assert page.inner_text(".viewer output") == "Step 1 of 1"
        page.click("text='Search the shortest way'")
        assert "The nearest violation is 32 atomic steps away" in page.inner_text(".next")
        page.click("text='Go this way to its end'")
        assert page.inner_text(".viewer output") == "Step 4 of 4"
        page.keyboard.press("ArrowLeft")
        assert page.inner_text(".viewer output") == "Step 3 of 4"
        with page.expect_download() as download:
            page.click("text='Save the schedule'")
        download.value.save_as(saved)
        assert shown.complaints == []
        assert all(url.startswith(address) for url in shown.requests)
    ran = run(capsys, "replay", saved)
    assert ran.status == 1
    assert "task B may use ports 64-65535" in ran.out


def test_without_going_on_a_call_stops_at_every_step(address: str, chromium: Browser) -> None:
    """With the box not ticked a call stops before its statements, and the box stays so."""
    with opened_address(chromium, address) as shown:
        page = shown.page
        page.uncheck("input[name=whole]")
        page.click("text='ioperm(0, 65536, 1)'")
        page.click("text='go on: if not ports.is_valid():'")
        assert "2 atomic steps until now" in page.inner_text("header")
        assert not page.is_checked("input[name=whole]")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_exploring_can_be_done_by_everybody(address: str, chromium: Browser, colours: str) -> None:
    """Axe finds no fault in the page at the start, on the way, and at the violation."""
    with opened_address(chromium, address, color_scheme=colours) as shown:
        assert shown.faults() == []
        shown.page.click("text='ioperm(0, 65536, 1)'")
        shown.page.click("text='Search the shortest way'")
        assert shown.faults() == []
        shown.page.click("text='Go this way to its end'")
        assert shown.faults() == []


def test_without_javascript_one_can_explore(address: str, chromium: Browser) -> None:
    """The buttons need no script."""
    with opened_address(chromium, address, java_script_enabled=False) as shown:
        shown.page.click("text='ioperm(0, 65536, 1)'")
        assert "28 atomic steps until now" in shown.page.inner_text("header")
