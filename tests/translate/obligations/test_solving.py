"""Tests of asking about claims together, of facts, and of terms that are made once."""

from typing import Any

import pytest

z3 = pytest.importorskip("z3", reason="needs z3")
solving = pytest.importorskip("iopermit.translate.obligations.solving", reason="needs z3")
values = pytest.importorskip("iopermit.translate.obligations.values", reason="needs z3")
facts = pytest.importorskip("iopermit.translate.obligations.facts", reason="needs z3")

from tests.support.translate.small_models import FLAG, LEVEL, small_model, step  # noqa: E402 - needs z3

from iopermit.translate.model.builder import equal  # noqa: E402 - as above
from iopermit.translate.model.nodes import Const, Load  # noqa: E402 - as above


def known(*truths: object) -> Any:  # noqa: ANN401 - of z3
    """Return a solver that knows something."""
    solver = z3.Solver()
    solver.add(*truths)
    return solver


def number(name: str) -> Any:  # noqa: ANN401 - of z3
    """Return a term."""
    return z3.BitVec(name, values.BITS)


def test_claims_that_are_impossible_have_no_name() -> None:
    """Where none of several claims is possible, the answer is empty."""
    x = number("x")
    claims = [("a", values.alike(x, 3)), ("b", values.alike(x, 4))]
    assert solving.first_possible(known(x == 5), claims) == ""


def test_the_first_possible_claim_is_named() -> None:
    """It is the first in the order of the claims, whichever the solver finds."""
    x = number("x")
    claims = [("a", values.alike(x, 3)), ("b", values.alike(x, 4)), ("c", values.alike(x, 5))]
    assert solving.first_possible(known(z3.UGT(x, 3)), claims) == "b"


def test_what_the_solver_cannot_decide_counts_as_possible() -> None:
    """An answer that is not `impossible` discharges nothing."""

    class Lost:
        """A solver that gives up."""

        def check(self, _: object) -> object:
            """Give up."""
            return z3.unknown

    assert solving.first_possible(Lost(), [("a", number("x") == 1)]) == "a"


def test_facts_hold_with_what_is_fixed() -> None:
    """Facts are about every state; what is known of some places is added to them."""
    same = equal(Load(FLAG, Const(0)), Load(LEVEL, Const(1)))
    made = facts.Facts(small_model([step(0)]), [same])
    flag, level = (facts.term(field, slot)[0] for field, slot in ((FLAG, 0), (LEVEL, 1)))
    free = known(*made.where({}))
    assert free.check(level == 1) == z3.sat
    assert free.check(level == 2) == z3.unsat  # a flag is 0 or 1
    fixed = known(*made.where({(FLAG, 0): 1}))
    assert fixed.check(level == 1) == z3.sat
    assert fixed.check(z3.Or(level == 0, flag == 0)) == z3.unsat


def test_a_term_is_made_once() -> None:
    """The same operation on the same terms is the same object, in every form."""
    x, y = number("x"), number("y")
    assert values.alike(x, y) is values.alike(x, y)
    assert values.choice(values.alike(x, y), x, 1) is values.choice(values.alike(x, y), x, 1)
    assert values.operation("add", x, y) is values.operation("add", x, y)
    assert values.alike(x, y) is not values.alike(y, x)
    assert values.operation("sub", x, y) is not values.operation("add", x, y)


def test_terms_are_made_anew_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of terms does not grow without end, and what is made after that is right."""
    monkeypatch.setattr(values, "_MOST_MADE", 4)
    for amount in range(20):
        term = values.operation("add", number("x"), amount)
        assert known(number("x") == 2, term != 2 + amount).check() == z3.unsat
    assert len(values._MADE) <= 4


def test_equal_numbers_and_terms_need_no_solver() -> None:
    """What is one number or one term is alike, and a choice between two of one is that one."""
    x = number("x")
    assert values.alike(3, 3) is True
    assert values.alike(3, 4) is False
    assert values.alike(x, number("x")) is True
    assert values.choice(values.alike(x, 1), x, number("x")) is x
    assert values.alike(x == 1, 2) is False
