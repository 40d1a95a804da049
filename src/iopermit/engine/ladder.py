"""The ladders: which scenarios are searched, from small to large, where none is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.events import Event, all_events, plain_events
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

Bounds = tuple[int, int, int]
"""CPUs, tasks and longs of a scenario."""

DESIGN_LADDER: Final[tuple[Bounds, ...]] = (
    (1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 1), (2, 2, 2), (2, 3, 2),
)  # fmt: skip
"""For a design; the last one is the default scenario, without the events of `_LEFT_OUT`."""

_LEFT_OUT: Final = frozenset({Event.IOPL_LEVELS, Event.CPU_OFFLINE})
"""Where each of three tasks can have four levels instead of two, there are ten times the states.
A CPU that comes up again does nothing of its own with a third task."""

COMPARISON_LADDER: Final = DESIGN_LADDER[:-1]
"""To compare designs: up to two of everything."""

FULL_COMPARISON_LADDER: Final[tuple[Bounds, ...]] = (*COMPARISON_LADDER, (2, 3, 1), (2, 3, 2))
"""The same, up to the default scenario. The last ones have very many states."""

TREE_LADDER: Final[tuple[Bounds, ...]] = ((1, 2, 2), (2, 2, 1))
"""For a kernel tree, whose code is executed for each transition."""


def design_scenarios(*, every: bool = False) -> Iterator[Scenario]:
    """Yield the scenarios of a design, plain events before all, up to the default bounds.

    To find every violation each scenario is searched to its end, so the large ones are left
    out; they can be asked for with explicit bounds.
    """
    if every:
        yield from (
            Scenario(*bounds, events)
            for events in (plain_events(), all_events())
            for bounds in DESIGN_LADDER[1:3]
        )
        return
    for bounds in DESIGN_LADDER[:-2]:
        yield Scenario(*bounds, plain_events())
    for bounds in DESIGN_LADDER[:-1]:
        yield Scenario(*bounds, all_events())
    yield Scenario(*DESIGN_LADDER[-1], all_events() - _LEFT_OUT)
