"""Counterexamples of designs, as `check` finds them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iopermit.engine.control import Control
from iopermit.search.check import check
from iopermit.system.events import event_named
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict


@functools.cache
def counterexample(
    design: str, events: str, *, cpus: int = 1, tasks: int = 2, longs: int = 1
) -> Verdict:
    """Return the shortest counterexample under some events, separated by commas."""
    scenario = Scenario(cpus, tasks, longs, frozenset(map(event_named, events.split(","))))
    verdict = check(load_design(design, ()), scenario, control=Control())
    assert verdict.violation is not None
    return verdict


def crash() -> Verdict:
    """Return a crash of one call: the first ioperm() reads through NULL."""
    return counterexample("linux-060aa16f", "ioperm", tasks=1)
