"""Tests of iopermit.explore.session: a person chooses, and the design does what it does."""

from __future__ import annotations

import json

import pytest
from tests.support.explore import LEAK, choice, session, violation, walk

from iopermit.explore import session as module
from iopermit.explore.session import TooFarError
from iopermit.report.json import to_text, verdict_json
from iopermit.search.replay import replay
from iopermit.system.events.rules import enabled


def test_what_can_be_chosen_is_what_can_happen() -> None:
    """Every CPU has as many choices as the system has actions for it, with texts of their own."""
    at = session(bounds=(2, 3, 2))
    groups = at.choices()
    actions = [choice.action for group in groups for choice in group.choices]
    assert actions == enabled(at.recorder.system)
    assert [group.doing for group in groups] == ["A, in user mode", "B, in user mode"]
    for group in groups:
        assert len({choice.text for choice in group.choices}) == len(group.choices)


def test_the_leak_of_the_review_can_be_walked_to() -> None:
    """Three choices lead to the leak, and then nothing can be chosen any more."""
    at = session()
    walk(at, *LEAK)
    assert at.violation is not None
    assert at.violation.kind == "leak"
    assert at.violation.ports == ((192, 65535),)
    assert at.choices() == []


def test_a_call_can_be_gone_through_step_by_step() -> None:
    """Without going on to its end a call stops before its first step, which is named."""
    at = session()
    at.take(choice(at, LEAK[0]), whole=False)
    (group,) = at.choices()
    assert group.doing == "A, in the kernel"
    assert at.in_kernel == {"A"}
    assert group.choices[0].text == "go on: if not ports.is_valid():"
    while "allocate" not in at.choices()[0].choices[0].text:
        at.take(at.choices()[0].choices[0], whole=False)
    outcomes = [c.text.rpartition(", ")[2] for c in at.choices()[0].choices[:2]]
    assert outcomes == ["which gives object 0", "which fails"]


def test_the_model_is_where_full_size_is() -> None:
    """After each step the state of the model violates exactly if full size does."""
    at = session()
    walk(at, *LEAK)
    kinds = [at.native.check(state)[0] for state in at.states]
    assert len(at.states) == len(at.schedule) + 1
    assert set(kinds[:-1]) == {module.NO_VIOLATION}
    assert kinds[-1] == "leak"


def test_going_back_is_as_if_nothing_had_happened() -> None:
    """Back at an earlier place the same can be chosen, and the same comes of it."""
    at = session()
    walk(at, LEAK[0])
    length, texts = len(at.schedule), [c.text for c in at.choices()[0].choices]
    walk(at, *LEAK[1:])
    at.back_to(length)
    assert violation(at) is None
    assert [c.text for c in at.choices()[0].choices] == texts
    walk(at, *LEAK[1:])
    assert violation(at) is not None


def test_what_was_walked_can_be_replayed() -> None:
    """The schedule, saved as `check --save` saves one, shows its violation again."""
    at = session()
    walk(at, *LEAK)
    verdict = at.verdict()
    again = replay(json.loads(to_text(verdict_json(verdict))))
    assert again.violation == verdict.violation
    assert again.trace == verdict.trace


def test_a_walk_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most steps nothing happens any more, and what was done stays."""
    monkeypatch.setattr(module, "_LONGEST", 5)
    at = session()
    with pytest.raises(TooFarError, match="5 atomic steps at most"):
        walk(at, LEAK[0])
    assert len(at.schedule) == 5
    at.back_to(2)
    assert len(at.trace) == 2


def test_what_is_not_possible_is_refused() -> None:
    """An action that cannot happen here is refused, and nothing changes."""
    at, other = session(), session()
    other.take(choice(other, LEAK[0]), whole=False)
    step = other.choices()[0].choices[0].action
    with pytest.raises(TooFarError):
        at.apply(step)
    assert at.schedule == []
