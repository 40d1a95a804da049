"""Tests of iopermit.explore.session: a person chooses, and the design does what it does."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from tests.support.designs.livelocks import NeverRepairs
from tests.support.explore import LEAK, choice, session, violation, walk

from iopermit.explore import session as module
from iopermit.explore.session import Session, TooFarError
from iopermit.report.json import to_text, verdict_json
from iopermit.search.counterexample.transitions import transition
from iopermit.search.replay import replay
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.events.rules import enabled
from iopermit.system.scenario import Scenario


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
    assert at.violation.ports == ((64, 65535),)
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


def test_a_row_of_refusals_ends_with_a_reason() -> None:
    """Where the handler says "again" as often as the search looks at, it is said why no more."""
    at = Session(NeverRepairs, Scenario(1, 1, 1, ALL_EVENTS))
    walk(at, "ioperm(0, 65536, 1)")
    refused = "a port access faults (#GP) on a port that was granted"
    for _ in range(at.scenario.most_refusals):
        walk(at, refused)
    with pytest.raises(TooFarError, match="look into whether it ever ends"):
        walk(at, refused)


@pytest.mark.parametrize("design", ["linux-5.4", "linux-6.16", "linux-2.6.10-L2", "linux-2.6.9"])
def test_full_size_and_the_model_never_part(design: str) -> None:
    """On random walks under all events what can happen next is the same in both, at every step."""
    chance = random.Random(design)
    at = session(design, (2, 3, 2), ALL_EVENTS)
    for _ in range(250):
        possible = enabled(at.recorder.system)
        if violation(at) is not None or not possible:
            at.back_to(len(at.schedule) // 2)
            continue
        state = at.states[-1]
        if at.native.check(state)[0] == module.NO_VIOLATION:
            model = at.native.compiled.model
            found = [
                transition(model, at.native, state, label).action
                for label, _ in at.native.successors(state)
            ]
            assert Counter(found) == Counter(possible)
        steps = [action for action in possible if action.is_step]
        at.apply(chance.choice(steps or possible))
