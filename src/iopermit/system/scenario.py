"""Scenarios: how many CPUs, tasks and longs there are, and which events can happen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from iopermit.system.events import Event, all_events

MOST_LONGS: Final = 32
"""How many longs a scenario can have. So many can be searched for a violation, not to the end: they
are for designs that name a number of longs.
"""


@dataclass(frozen=True)
class Scenario:
    """The bounds that make the search finite; nothing else is bounded."""

    cpus: int = 2
    tasks: int = 3
    """Tasks alive at once."""
    longs: int = 2
    """Longs of the port bitmap, each standing for a block of ports."""
    events: frozenset[Event] = field(default_factory=all_events)
    unprivileged: bool = False
    """Whether the first task starts without CAP_SYS_RAWIO and only its violations count."""
    garbage: bool = True
    """Whether memory that nothing refers to is a violation, at which a schedule ends."""

    _most: ClassVar[tuple[int, int]] = (4, 6)
    """How many CPUs and tasks there can be: what can be searched."""

    def __post_init__(self) -> None:
        """Refuse bounds that make no sense."""
        cpus, tasks = self._most
        longs = ("longs", self.longs, MOST_LONGS)
        limits = (("CPUs", self.cpus, cpus), ("tasks", self.tasks, tasks), longs)
        for name, value, most in limits:
            if not 1 <= value <= most:
                message = f"the scenario needs 1 to {most} {name}, not {value}"
                raise ValueError(message)

    @property
    def homes(self) -> range:
        """The CPUs that a task can be bound to; none where tasks migrate."""
        return range(0 if self.has(Event.MIGRATE) else self.cpus)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The argument ranges of ioperm as (first long, end long), the whole map first."""
        every = [(a, b) for a in range(self.longs) for b in range(a + 1, self.longs + 1)]
        return sorted(every, key=lambda r: (r[0] - r[1], r[0]))

    @property
    def size(self) -> str:
        """The bounds in words, such as "1 CPU, 2 tasks, 2 longs"."""
        counts = ((self.cpus, "CPU"), (self.tasks, "task"), (self.longs, "long"))
        return ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in counts)

    @property
    def most_refusals(self) -> int:
        """How often in a row a handler of #GP may say "again" before that is looked into.

        One that repairs one long for each refusal needs as many as there are longs. Two more let it
        begin with something else. It is no bound of a verdict: whether such a row goes on for ever
        is found out by continuing it.
        """
        return self.longs + 2

    def has(self, event: Event) -> bool:
        """Return whether ``event`` can happen."""
        return event in self.events


@dataclass(frozen=True)
class RunScenario(Scenario):
    """The bounds of a machine that runs programs, which nobody searches."""

    _most: ClassVar[tuple[int, int]] = (32, 1024)
