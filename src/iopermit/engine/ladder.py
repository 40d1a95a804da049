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
"""For a design; the last one is the default scenario, without `COSTLY_EVENTS`."""

COSTLY_EVENTS: Final = frozenset({Event.IOPL_LEVELS, Event.FORK_FAILS_EARLY, Event.CPU_OFFLINE})
"""What the last scenario of a design leaves out, and all those before it with all events have.

Its states are very many already. Levels 1 and 2 of iopl give each of three tasks four levels
instead of two: ten times the states. A fork that fails early is a further place for each task to be
interrupted at, and a CPU that comes up again has half as many states more; neither does anything of
its own with a third task. The reading of a map does (the one who reads, the one who is read and the
one who frees what they see), so the last scenario has it.
"""

COMPARISON_LADDER: Final = DESIGN_LADDER[:-1]
"""To compare designs: up to two of everything."""

FULL_COMPARISON_LADDER: Final[tuple[Bounds, ...]] = (*COMPARISON_LADDER, (2, 3, 1), (2, 3, 2))
"""The same, up to the default scenario. The last ones have very many states."""

MOST_OF_NAMED_LONGS: Final = 1_000_000
"""How many states are searched, by default, of a scenario with as many longs as a design names."""


def named_longs_scenarios(longs: int) -> Iterator[Scenario]:
    """Yield the scenarios for a design that names a number of longs, which no other scenario has.

    They are small, but have so many states that they are searched for a violation only.
    """
    for tasks in (1, 2):
        yield Scenario(1, tasks, longs, plain_events())


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
    yield Scenario(*DESIGN_LADDER[-1], all_events() - COSTLY_EVENTS)
