"""What is measured by default, and what with --quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks import programs
from benchmarks.subjects import Subject
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario

_HOLDS: Final = "linux-6.16+preempt_off"
"""The recent design that holds under every event, so that all its states must be visited."""
_CLASSIC: Final = "linux-5.4"
"""The last of the older designs; it holds under plain events."""
_CALM: Final = PLAIN_EVENTS - {Event.PREEMPT}


@dataclass(frozen=True)
class Plan:
    """Which subjects each measurement takes, and how often it is repeated."""

    against_spin: tuple[Subject, ...]
    start_to_verdict: tuple[str, ...]
    threads: tuple[tuple[Subject, bool], ...]
    """Subject, and whether with reductions."""
    growth: tuple[Subject, ...]
    programs: programs.Size
    repeats: int
    timeout: int = 60
    """Seconds for each scenario whose cost is measured."""
    memory: str = "4G"


def _subjects(
    design: str, events: frozenset[Event], *bounds: tuple[int, int, int]
) -> tuple[Subject, ...]:
    return tuple(Subject(design, Scenario(*each, events)) for each in bounds)


_SMALL: Final = ((1, 1, 1), (1, 1, 2), (1, 2, 1))

TINY: Final = Plan(
    against_spin=_subjects(_CLASSIC, PLAIN_EVENTS, (1, 1, 1)),
    start_to_verdict=(),
    threads=tuple((each, False) for each in _subjects(_CLASSIC, PLAIN_EVENTS, (1, 1, 1))),
    growth=_subjects(_CLASSIC, PLAIN_EVENTS, (1, 1, 1), (1, 1, 2)),
    programs=programs.TINY,
    repeats=1,
)
"""Only to try the command itself; the models are too small for the figures to mean anything."""

QUICK: Final = Plan(
    against_spin=_subjects(_HOLDS, ALL_EVENTS, (1, 1, 2)),
    start_to_verdict=("linux-v2-06",),
    threads=tuple((each, True) for each in _subjects(_HOLDS, ALL_EVENTS, (2, 2, 1))),
    growth=_subjects(_CLASSIC, PLAIN_EVENTS, *_SMALL) + _subjects(_HOLDS, ALL_EVENTS, *_SMALL),
    programs=programs.QUICK,
    repeats=1,
)
"""About two minutes."""

FULL: Final = Plan(
    against_spin=(
        *_subjects(_CLASSIC, PLAIN_EVENTS, (1, 2, 1)),
        *_subjects("linux-2.6.8", PLAIN_EVENTS, (1, 2, 1)),
        *_subjects("linux-6.16", _CALM, (1, 2, 1)),
        *_subjects(_HOLDS, ALL_EVENTS, (1, 1, 2)),
    ),
    start_to_verdict=("linux-v2-06",),
    threads=(
        *((each, False) for each in _subjects(_CLASSIC, PLAIN_EVENTS, (1, 2, 1))),
        *((each, True) for each in _subjects(_HOLDS, ALL_EVENTS, (2, 2, 2))),
    ),
    growth=(
        *_subjects(
            _CLASSIC, PLAIN_EVENTS, *_SMALL, (1, 2, 2), (1, 3, 1), (2, 2, 1), (2, 2, 2), (2, 3, 1)
        ),
        *_subjects(
            _HOLDS,
            ALL_EVENTS,
            *_SMALL, (1, 2, 2), (1, 2, 3), (1, 3, 1), (2, 2, 1), (2, 2, 2), (2, 3, 1), (2, 3, 2),
        ),
    ),
    programs=programs.FULL,
    repeats=3,
)  # fmt: skip
