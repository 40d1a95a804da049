"""The pool of workers: every design gets an outcome, whatever happens to the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.tools import fuzz_work

from tools.fuzz_designs import pool

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from tools.fuzz_designs.judging.outcome import Outcome

FOREVER = 1e9


def answers(work: Callable[[int], Outcome], amount: int) -> dict[int, Outcome]:
    """Run the work for the first indices, two at a time."""
    return {each.index: each for each in pool.outcomes(work, range(amount), 2, FOREVER)}


def test_every_index_is_answered_once() -> None:
    """Each of the indices gets one outcome."""
    found = list(pool.outcomes(fuzz_work.answer, range(5), 2, FOREVER))
    assert sorted(each.index for each in found) == [0, 1, 2, 3, 4]


def test_a_worker_that_dies_is_a_finding_and_the_others_go_on() -> None:
    """A process that ends without an answer is an internal error of its design only."""
    found = answers(fuzz_work.die_at_two, 5)
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert [f.kind for f in found[2].findings] == ["internal"]
    assert "ended with 7" in found[2].findings[0].text
    assert not any(found[index].findings for index in (0, 1, 3, 4))


def test_a_worker_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than the limit is an internal error, and the others go on."""
    monkeypatch.setattr(pool, "SECONDS", 3)
    found = answers(fuzz_work.hang_at_one, 4)
    assert "not finished" in found[1].findings[0].text
    assert not any(found[index].findings for index in (0, 2, 3))


def test_nothing_is_begun_when_the_time_is_over() -> None:
    """A portion without time begins nothing."""
    assert not list(pool.outcomes(fuzz_work.answer, range(5), 2, 0.0))
