"""The matrix: which scenarios are searched, and what a cell may claim."""

from iopermit.designs import designs
from iopermit.engine.comparison import Cell, Matrix, Rung
from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.search.compare import Subject, compare, empty_matrix, subjects

SMALL, MEDIUM, LARGE = (1, 1, 1), (1, 2, 1), (1, 2, 2)


def test_each_option_is_a_row() -> None:
    """A design with two options has three rows, named as `check` takes them."""
    names = [row.name for row in subjects([designs()["linux-5.5"]])]
    assert names == [
        "linux-5.5",
        "linux-5.5 --option no_refcnt_reset",
        "linux-5.5 --option no_iopl_branch",
    ]
    assert len(list(subjects([designs()["linux-5.5"]], options=False))) == 1


def test_a_violation_ends_a_cell() -> None:
    """linux-060aa16f crashes with one task; no larger scenario is searched."""
    rows = [Subject(designs()["linux-060aa16f"])]
    matrix = empty_matrix(rows, ["plain-without-preempt"], MEDIUM)
    calls: list[Matrix] = []
    compare(rows, matrix, (SMALL, MEDIUM), filled=calls.append)
    cell = matrix["linux-060aa16f"]["plain-without-preempt"]
    assert [(r.bounds, r.outcome, r.kinds) for r in cell.rungs] == [(SMALL, "violated", ("crash",))]
    assert len(calls) == 1


def test_a_search_goes_on_where_it_stopped() -> None:
    """Scenarios that the matrix has are not searched again, and a limit ends a cell."""
    rows = [Subject(designs()["linux-2.6.8"])]
    known = Rung(SMALL, "holds", 10)
    matrix = {"linux-2.6.8": {"plain-without-preempt": Cell((known,), LARGE)}}
    control = Control(Limits(max_states=10))
    compare(rows, matrix, (SMALL, MEDIUM, LARGE), control=control)
    cell = matrix["linux-2.6.8"]["plain-without-preempt"]
    assert cell.rungs[0] is known
    assert [r.outcome for r in cell.rungs] == ["holds", "undetermined"]
    assert cell.rungs[1].message
    assert cell.outcome == "undetermined"
    assert cell.decisive is known


def test_an_option_changes_the_verdict() -> None:
    """Without the branch for iopl(3) linux-5.5 crashes with one task (B6)."""
    rows = [Subject(designs()["linux-5.5"], ("no_iopl_branch",))]
    matrix = empty_matrix(rows, ["plain-without-preempt"], SMALL)
    compare(rows, matrix, (SMALL,))
    assert matrix[rows[0].name]["plain-without-preempt"].rungs[0].kinds == ("crash",)
