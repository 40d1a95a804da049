"""The matrix as text, table and JSON."""

import json

import pytest

from iopermit.engine.comparison import Cell, Rung
from iopermit.report.compare import cell_text, matrix_table, matrix_text
from iopermit.report.compare_json import matrix_from_json, matrix_json

SMALL, LARGE = (1, 2, 1), (2, 2, 2)
HOLDS = Rung(SMALL, "holds", 1234)
LEAK = Rung(LARGE, "violated", 9, ("leak", "loss"), "task B may use ports", needs_privilege=False)
LIMIT = Rung(LARGE, "undetermined", 5, message="the limit of 5 states was reached")
MATRIX = {
    "one": {"plain": Cell((HOLDS, LEAK), LARGE), "all": Cell((HOLDS, LIMIT), LARGE)},
    "two": {"plain": Cell((HOLDS,), SMALL), "all": Cell((), SMALL)},
}


def test_a_violation_shows_kinds_scenario_and_privilege() -> None:
    """The kinds come first, then the smallest scenario and who can bring it about."""
    text = "LEAK and LOSS (2 CPUs, 2 tasks, 2 longs; also without CAP_SYS_RAWIO)"
    assert cell_text(MATRIX["one"]["plain"]) == text


def test_a_limit_is_never_called_holds() -> None:
    """The largest exhausted scenario is named, and why the next one was not."""
    text = cell_text(MATRIX["one"]["all"])
    assert text.startswith("undetermined beyond 1 CPU, 2 tasks, 1 long, 1,234 states")
    assert text.endswith("(2 CPUs, 2 tasks, 2 longs: the limit of 5 states was reached)")


def test_holds_names_the_scenario_and_its_states() -> None:
    """A verdict of holds has its bounds; a cell without any search is undetermined."""
    assert cell_text(MATRIX["two"]["plain"]) == "holds (1 CPU, 2 tasks, 1 long, 1,234 states)"
    assert cell_text(MATRIX["two"]["all"]) == "undetermined (not searched)"


def test_text_and_table_have_every_cell() -> None:
    """Both forms show each design and event set."""
    text = matrix_text(MATRIX)
    table = matrix_table(MATRIX)
    assert table[0] == ["design", "plain", "all"]
    assert [row[0] for row in table[1:]] == ["`one`", "`two`"]
    for row in table[1:]:
        assert all(cell in text for cell in row[1:])


def test_json_gives_the_matrix_back() -> None:
    """What is written can be read again, through JSON's own text."""
    assert matrix_from_json(json.loads(json.dumps(matrix_json(MATRIX)))) == MATRIX


def test_another_schema_is_refused() -> None:
    """A file of another kind is not taken for a matrix."""
    with pytest.raises(ValueError, match="iopermit/compare/1"):
        matrix_from_json({"schema": "iopermit/verdict/1"})
