"""Spin, an independent checker, must find the same states as the search with reductions off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support import spin
from tests.support.search.searching import explore, subject

from iopermit.designs import designs
from iopermit.system.events import Event, all_events
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.promela.export import export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEW = frozenset({Event.IOPERM, Event.EXIT})
FAMILY = FEW | {Event.FORK, Event.FORK_FAILS, Event.IO_THREAD}
NO_IOPERM = ALL_EVENTS - FEW - {Event.IO_THREAD, Event.FORK_FAILS, Event.PREEMPT}
SCENARIOS = {
    "one-task": Scenario(1, 1, 1, all_events()),
    "family": Scenario(1, 2, 1, FAMILY),
    "two-cpus": Scenario(2, 2, 1, NO_IOPERM),
    "two-longs": Scenario(1, 1, 2, ALL_EVENTS - {Event.IOPL, Event.EXEC}),
    "preempted": Scenario(1, 2, 1, FEW | {Event.PREEMPT, Event.ALLOCATION_FAILS}),
    "pinned": Scenario(2, 2, 1, frozenset({Event.IOPERM})),
    "unprivileged": Scenario(1, 2, 1, FEW | {Event.FORK}, unprivileged=True),
    "readers": Scenario(1, 2, 1, FEW | {Event.FORK_FAILS_EARLY, Event.READ_MAP}),
    "three-readers": Scenario(1, 3, 1, frozenset({Event.IOPERM, Event.READ_MAP})),
    "beyond-garbage": Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.FORK_FAILS}), garbage=False),
}
CASES = [
    *((design_id, name) for name in ("one-task", "family") for design_id in designs()),
    *(("linux-6.16", name) for name in ("two-cpus", "two-longs", "pinned", "unprivileged")),
    *(("linux-v2-06", name) for name in ("two-cpus", "two-longs", "preempted", "unprivileged")),
    *(("linux-2.6.10", name) for name in ("two-cpus", "two-longs", "preempted", "pinned")),
    *((design_id, "readers") for design_id in ("linux-5.4", "linux-6.16", "linux-2.6.9")),
    *((design_id, "three-readers") for design_id in ("linux-5.4", "linux-6.16")),
    *((design_id, "beyond-garbage") for design_id in ("linux-2.6.8", "linux-2.6.9", "linux-5.5")),
]


@pytest.mark.parametrize(("design_id", "name"), CASES)
def test_spin_agrees(
    design_id: str, name: str, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Spin finds as many states, as many transitions and the same verdict as the search."""
    each = subject(design_id, SCENARIOS[name])
    theirs = spin.search(require, export(each.model, each.initial), tmp_path)
    ours = explore(each)
    assert (ours.states, ours.transitions) == (theirs.states, theirs.transitions)
    assert bool(ours.violations) == theirs.violated


def test_spin_notices_a_missing_rule(require: Callable[[str], Path], tmp_path: Path) -> None:
    """An export that lacks one rule has fewer transitions: the numbers do tell models apart."""
    each = subject("linux-2.6.9", SCENARIOS["one-task"])
    ours = explore(each)
    model = replace(each.model, user_rules=each.model.user_rules[1:])
    theirs = spin.search(require, export(model, each.initial), tmp_path)
    assert theirs.transitions < ours.transitions
