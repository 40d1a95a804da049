"""docs/designs.md, its figure and its data are what the designs give now."""

import html
from typing import NamedTuple

import pytest

from iopermit.engine.comparison import Rung
from iopermit.engine.ladder import COMPARISON_LADDER
from iopermit.report.certificate import certified_now
from iopermit.report.cost_plot import described
from iopermit.search.compare import Subject, search
from iopermit.search.problem import Settings
from iopermit.system.scenario import Scenario
from tools import generate_docs

MATRIX = generate_docs.read(generate_docs.MATRIX)
FULL = generate_docs.read(generate_docs.FULL_MATRIX)
ROWS = {row.name: row for row in generate_docs.rows()}
SMALLEST, TWO_TASKS = (1, 1, 1), (1, 2, 1)
WITH_TWO_TASKS = ("linux-2.6.8", "linux-5.4", "linux-v2-06", "linux-6.16")
"""One design of each way to keep the TSS in step: also searched with two tasks."""


def is_quick(subject: str, events: str, rung: Rung) -> bool:
    """Return whether a search is repeated; the others take too long for a test."""
    if rung.bounds == SMALLEST:
        return events == "all"
    wanted = (events, rung.bounds) == ("all-without-preempt", TWO_TASKS)
    return wanted and subject in WITH_TWO_TASKS


class Case(NamedTuple):
    """A search to repeat."""

    row: Subject
    events: str
    recorded: Rung


CASES = [
    Case(ROWS[subject], events, rung)
    for subject, cells in MATRIX.items()
    if subject in ROWS
    for events, cell in cells.items()
    for rung in cell.rungs
    if is_quick(subject, events, rung)
]


def test_the_page_is_generated() -> None:
    """The page is what the saved matrices and freshly counted costs give (else: `make docs`)."""
    certified = certified_now(generate_docs.CERTIFICATES)
    expected = generate_docs.page(MATRIX, FULL, generate_docs.all_costs(), certified)
    assert generate_docs.PAGE.read_text(encoding="utf-8") == expected


def test_the_figure_is_generated() -> None:
    """The chart's own figures are the freshly counted ones; its drawing depends on matplotlib."""
    text = html.escape(described(generate_docs.all_costs()), quote=False)
    assert text in generate_docs.FIGURE.read_text(encoding="utf-8")


def test_the_matrix_has_every_design_and_event_set() -> None:
    """No design, variant or option is missing, and none is there that is no more."""
    assert list(MATRIX) == list(ROWS)
    for cells in MATRIX.values():
        assert list(cells) == list(generate_docs.EVENT_SETS)


def test_the_quick_searches_are_there() -> None:
    """Every row has a scenario that is searched again below."""
    assert {case.row.name for case in CASES} == set(ROWS)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c.row.name}, {c.events}, {c.recorded.bounds}"
)
def test_a_recorded_verdict_is_found_again(case: Case) -> None:
    """Verdict, number of states and violation of a small scenario are the recorded ones."""
    found = search(
        case.row, Scenario(*case.recorded.bounds, generate_docs.EVENT_SETS[case.events]), Settings()
    )
    assert found == case.recorded


def test_more_events_never_repair_a_design() -> None:
    """A violation under some events is possible under more events in the same scenario."""
    compared = 0
    for cells in MATRIX.values():
        for fewer, more in (("plain", "all"), ("plain-without-preempt", "plain")):
            by_bounds = {rung.bounds: rung.outcome for rung in cells[more].rungs}
            for rung in cells[fewer].rungs:
                if rung.outcome == "violated" and rung.bounds in by_bounds:
                    compared += 1
                    assert by_bounds[rung.bounds] == "violated"
    assert compared


def test_larger_scenarios_only_go_on_from_small_ones() -> None:
    """What the table of larger scenarios says of small ones is what the small table says."""
    for subject, cells in FULL.items():
        for name, cell in cells.items():
            small = MATRIX[subject][name]
            shared = tuple(rung for rung in cell.rungs if rung.bounds in COMPARISON_LADDER)
            assert small.outcome == "holds"
            assert shared == small.rungs
