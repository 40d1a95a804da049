"""Pages in a real browser: what is drawn is what the trace says, and everybody can read it."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from tests.support.cli.command import HOLDING, SMALL, run
from tests.support.kernel.faults import FAULTS, unified_diff
from tests.support.kernel.trees import require_tree
from tests.support.report.browser import opened
from tests.support.requirements import require_sandbox

from iopermit.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

LEAK = ("check", "linux-v2-06")
TWO_CPUS = ("check", "linux-5.5", "--cpus", "2", "--tasks", "2", "--longs", "1")
TREE = ("check", "--kernel")
OTHERS = (
    ("check", HOLDING, *SMALL),
    ("check", "linux-v2-06", "--cpus", "1", "--tasks", "1", "--longs", "1", "--max-states", "2"),
    ("compare", "linux-2.6.8", "linux-5.5", *SMALL),
    ("cost", "linux-2.6.8", "linux-5.5", "linux-060aa16f"),
)
DRAWN = """() => {
    const slot = document.querySelector(".viewer .slot");
    return [...slot.querySelectorAll(".cpu-state")].map((state) => {
        const cells = (kind) => [...state.querySelectorAll(kind)].map((r) => ({...r.dataset}));
        return {
            cpu: Number(state.dataset.cpu),
            base: state.querySelector(".base").textContent,
            limit: state.querySelector(".limit + text").textContent,
            bits: cells(".bits rect[data-ports]"),
            allows: cells("rect.allows"),
            granted: cells("rect.granted"),
            wrong: cells("rect.wrong.now"),
        };
    });
}"""
"""What the picture in the middle of the page shows."""
UNFOLD = "() => { for (const each of document.querySelectorAll('details')) each.open = true; }"
BASES = {
    "valid": "I/O map base: at the map",
    "past limit": "I/O map base: past the limit, the TSS allows nothing",
    "all ports": "I/O map base: at a map that allows every port",
    "lazy": "I/O map base: past the limit, the map is loaded at the first access",
    "other": "I/O map base: at some other memory",
}


@dataclass
class Checked:
    """A verdict as JSON, and its page."""

    verdict: dict[str, Any]
    file: Path

    @property
    def trace(self) -> list[dict[str, Any]]:
        """The atomic steps."""
        steps: list[dict[str, Any]] = self.verdict["trace"]
        return steps


def written(directory: Path, *command: object) -> Checked:
    """Run a verb, and return the verdict and the page that it writes."""
    file, printed = directory / "page.html", io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*map(str, command), "--json", "--html", str(file)])
    return Checked(json.loads(printed.getvalue()), file)


@pytest.fixture(
    scope="module", params=[LEAK, TWO_CPUS, TREE], ids=["leak", "two CPUs", "kernel tree"]
)
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """Give the leak that a review found, one that needs two CPUs, and one of a kernel tree."""
    directory = tmp_path_factory.mktemp("checked")
    if request.param is not TREE:
        return written(directory, *request.param)
    tree = require_tree("6.12")
    require_sandbox()
    patch = directory / "own.patch"
    patch.write_text(unified_diff(tree, FAULTS["own-extent"]))
    bounds = ("--cpus", "1", "--tasks", "2", "--longs", "2")
    return written(directory, *TREE, tree, "--patch", patch, *bounds)


def ports(cells: list[dict[str, str]], key: str) -> list[list[int]]:
    """Return as ranges the ports of the cells in which something is so."""
    found: list[list[int]] = []
    for cell in cells:
        first, _, last = cell["ports"].partition("-")
        if cell.get(key, "1") != "1":
            continue
        if found and found[-1][1] + 1 == int(first):
            found[-1][1] = int(last or first)
        else:
            found.append([int(first), int(last or first)])
    return found


def test_every_atomic_step_is_drawn_as_the_trace_says(checked: Checked, chromium: Browser) -> None:
    """Base, limit and clear bits of the picture are those of the trace, at each of its steps."""
    with opened(chromium, checked.file) as shown:
        for step in checked.trace:
            shown.read("(n) => { location.hash = `atomic=${n}`; }", step["number"])
            shown.page.wait_for_function(
                "(n) => document.querySelector('.viewer output').textContent.includes(` ${n} of`)",
                arg=step["number"],
            )
            (state,) = [each for each in shown.read(DRAWN) if each["cpu"] == step["cpu"]]
            tss = step["tss"]
            assert ports(state["bits"], "clear") == tss["clear"], step
            assert state["base"] == BASES[tss["io_map_base"]], step
            assert ("0x67" in state["limit"]) == tss["limit_low"], step
            told = shown.page.inner_text(".viewer .what")
            assert " ".join(step["text"].split()) in " ".join(told.split())
        assert shown.complaints == shown.requests == []


def test_the_last_step_shows_the_violation(checked: Checked, chromium: Browser) -> None:
    """A page opens with the violation: what is allowed, what was granted, which ports are wrong."""
    violation = checked.verdict["violation"]
    with opened(chromium, checked.file) as shown:
        (state,) = [each for each in shown.read(DRAWN) if each["cpu"] == violation["cpu"]]
        assert ports(state["wrong"], "ports-are-there") == violation["ports"]
        assert ports(state["allows"], "value") == violation["allowed"]
        assert ports(state["granted"], "value") == violation["granted"]
        panel = shown.page.inner_text(".why")
    assert f"CPU\n{violation['cpu']}" in panel
    assert f"Task\n{violation['task']}" in panel


def test_keys_and_slider_step_through(checked: Checked, chromium: Browser) -> None:
    """Cursor keys, Home, End, the buttons and the slider go through the steps, as the address."""
    with opened(chromium, checked.file) as shown:
        page = shown.page
        count = page.locator("article").count()

        def at(number: int) -> None:
            # The script hears of a link only after the click.
            expect(page.locator(".viewer output")).to_have_text(f"Step {number} of {count}")
            assert page.locator("table.steps tr.current").get_attribute("data-step") == str(number)
            assert page.locator("svg a.current").get_attribute("data-step") == str(number)

        at(count)
        page.keyboard.press("Home")
        at(1)
        page.keyboard.press("ArrowLeft")
        at(1)
        page.keyboard.press("ArrowRight")
        at(2)
        assert page.url.endswith("#step=2")
        page.keyboard.press("End")
        at(count)
        page.click("[data-go=previous]")
        at(count - 1)
        page.focus("input[type=range]")
        page.keyboard.press("ArrowLeft")
        at(max(1, count - 2))
        page.click("table.steps a >> nth=1")
        at(2)
        assert shown.complaints == shown.requests == []


def test_an_address_leads_to_a_step(checked: Checked, chromium: Browser) -> None:
    """Opened with `#step=1` a page begins there, with `#atomic=3` at the third atomic step."""
    with opened(chromium, checked.file, "#step=1") as shown:
        assert shown.page.inner_text(".viewer output").startswith("Step 1 of ")
    with opened(chromium, checked.file, "#atomic=3") as shown:
        total = len(checked.trace)
        assert shown.page.inner_text(".viewer output") == f"Atomic step 3 of {total}"
        assert shown.page.is_checked("input[type=checkbox]")
    with opened(chromium, checked.file, "#step=999") as shown:
        assert shown.complaints == []


def test_every_atomic_step_can_be_asked_for(checked: Checked, chromium: Browser) -> None:
    """The box goes on at the end of the same step, and back again."""
    with opened(chromium, checked.file, "#step=1") as shown:
        shown.page.check("input[type=checkbox]")
        rows = shown.page.locator("details.atomic tr[data-row='1']").count()
        assert shown.page.inner_text(".viewer output").startswith(f"Atomic step {rows} of ")
        shown.page.keyboard.press("ArrowRight")
        shown.page.uncheck("input[type=checkbox]")
        assert shown.page.inner_text(".viewer output").startswith("Step 2 of ")


def test_the_line_that_is_executed_is_in_sight(checked: Checked, chromium: Browser) -> None:
    """At a step with a statement its function is shown, and the line stands out in it."""
    step = [each for each in checked.trace if each["source"]][-1]
    with opened(chromium, checked.file, f"#atomic={step['number']}") as shown:
        line = shown.page.locator(".sources .block.current li.current")
        assert line.get_attribute("value") == step["source"].rpartition(":")[2]
        view = line.bounding_box()
        around = shown.page.locator(".sources .block.current .scroll").bounding_box()
        assert view is not None
        assert around is not None
        assert around["y"] - 1 <= view["y"] <= around["y"] + around["height"]


def test_without_javascript_everything_is_there(checked: Checked, chromium: Browser) -> None:
    """Without scripts every step has its picture, and the tables and functions are there."""
    with opened(chromium, checked.file, java_script_enabled=False) as shown:
        page = shown.page
        assert page.locator("article figure svg").first.is_visible()
        assert page.locator("article").count() == page.locator("table.steps tbody tr").count()
        assert page.locator(".sources .block").last.is_visible()
        assert page.locator(".why").is_visible()
        assert not page.locator(".viewer").is_visible()


def test_on_paper_every_step_is_there(checked: Checked, chromium: Browser) -> None:
    """What is printed has the picture of each step, and nothing to click at."""
    with opened(chromium, checked.file) as shown:
        assert not shown.page.locator("article").first.is_visible()
        shown.page.emulate_media(media="print")
        assert shown.page.locator("article").first.is_visible()
        assert shown.page.locator("article").last.is_visible()
        assert not shown.page.locator(".controls").is_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_schedule_can_be_read_by_everybody(
    checked: Checked, chromium: Browser, colours: str
) -> None:
    """With every part unfolded axe finds no fault in the page of a schedule, light or dark."""
    with opened(chromium, checked.file, color_scheme=colours) as shown:
        assert shown.complaints == shown.requests == []
        shown.read(UNFOLD)
        assert shown.faults() == []


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("command", OTHERS, ids=["holds", "undetermined", "matrix", "costs"])
def test_other_pages_can_be_read_by_everybody(
    command: tuple[str, ...],
    colours: str,
    chromium: Browser,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Pages without a schedule load nothing, complain of nothing, and have no fault either."""
    file = tmp_path / "page.html"
    run(capsys, *command, "--html", file)
    with opened(chromium, file, color_scheme=colours) as shown:
        assert shown.page.title()
        shown.read(UNFOLD)
        assert shown.complaints == shown.requests == []
        assert shown.faults() == []


def test_a_narrow_window_scrolls_no_page_sideways(checked: Checked, chromium: Browser) -> None:
    """On a telephone drawings and tables scroll inside the page, and the page itself does not."""
    size = {"width": 400, "height": 800}
    with opened(chromium, checked.file, viewport=size) as shown:
        assert shown.read("() => document.documentElement.scrollWidth") <= size["width"]


def test_several_violations_step_on_their_own(chromium: Browser, tmp_path: Path) -> None:
    """With `--all` each violation has its steps, and an address leads into the second one."""
    checked = written(tmp_path, "check", "linux-2.4.20", "--all", *SMALL)
    assert checked.verdict["also"]
    with opened(chromium, checked.file, "#violation=2&step=1") as shown:
        told = shown.page.locator(".viewer output").all_inner_texts()
        assert len(told) == 1 + len(checked.verdict["also"])
        assert told[1].startswith("Step 1 of ")
        first, _, last = told[0].removeprefix("Step ").partition(" of ")
        assert first == last
        assert shown.complaints == []
