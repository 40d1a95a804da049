"""Tests of what goes along with a search."""

import signal
import time
from dataclasses import replace

from iopermit.engine.control import Control
from iopermit.engine.ending import (
    BrokenAssumption,
    Ending,
    Interrupted,
    MemoryLimit,
    NoRoom,
    StateLimit,
    TimeLimit,
    TooFewLongs,
)
from iopermit.engine.limits import Limits
from iopermit.engine.progress import Progress
from iopermit.system.site import Site


def test_each_limit_ends_a_search() -> None:
    """As many states as allowed, or more time, end a search; without limits nothing does."""
    assert Control().ending(1 << 40) is None
    assert Control(Limits(max_states=7)).ending(6) is None
    assert Control(Limits(max_states=7)).ending(7) == StateLimit(7)
    late = replace(Control(Limits(timeout=5.0)), started=time.monotonic() - 6)
    assert late.ending(0) == TimeLimit(5.0)
    assert late.again().ending(0) is None


def test_the_time_left_is_what_a_part_has() -> None:
    """A part of a search has the time that is left, another search has all of it."""
    half = replace(Control(Limits(timeout=1000.0)), started=time.monotonic() - 600)
    left = half.remaining().limits.timeout
    assert left is not None
    assert 399 < left <= 400
    assert half.again().limits.timeout == 1000.0


def test_interruption_comes_first_and_goes_along() -> None:
    """Ctrl-C ends a search whatever the limits say, and so all others under the same control."""
    control = Control(Limits(max_states=1))
    with control.interruption:
        signal.raise_signal(signal.SIGINT)
    assert control.ending(5) == Interrupted()
    assert control.again().remaining().about("1 CPU").ending(0) == Interrupted()


def test_progress_names_the_scenario() -> None:
    """Who is told of the progress is told the scenario; without anybody nothing happens."""
    told: list[Progress] = []
    at = Progress(1, 2, 3, 4, 5.0, 6)
    Control(progress=told.append).about("1 CPU").report(at)
    Control().report(at)
    assert told == [replace(at, scenario="1 CPU")]


def test_reasons_and_whether_a_repetition_would_end_too() -> None:
    """Every ending says why; only what a repetition can avoid does not end it."""
    site = Site("/designs/own.py", 7, 4, "", "ioperm")
    endings: list[tuple[Ending, str, bool]] = [
        (Interrupted(), "interrupted", True),
        (StateLimit(50), "the limit of 50 states was reached", True),
        (MemoryLimit(), "the memory limit was reached", True),
        (TimeLimit(0.5), "the time limit of 0.5 s was reached", True),
        (NoRoom(), "the model has no room for what the design keeps", False),
        (NoRoom(site, "a Block more"), "own.py:7 needs a Block more", False),
        (BrokenAssumption(), "an assumption of a reduction turned out wrong", False),
    ]
    for ending, reason, ends in endings:
        assert (ending.reason, ending.ends_repetition) == (reason, ends)
    assert TooFewLongs("1 CPU", 2).reason.endswith("search with --longs 2")
