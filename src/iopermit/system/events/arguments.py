"""With which arguments an event can happen: in the terms of a scenario, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Choice: TypeAlias = Mapping[str, int]
"""Arguments in the terms of a scenario (longs, slots), as schedules and JSON have them."""

Values: TypeAlias = Mapping[str, Any]
"""Arguments as operations use them: ports are what the reading at hand takes for them."""

PortsOf: TypeAlias = Callable[[int, int], object]
"""Returns what longs from the first up to the end stand for."""


class Bounds(Protocol):
    """What the arguments of a scenario depend on."""

    @property
    def tasks(self) -> int:
        """Tasks alive at once."""

    @property
    def homes(self) -> range:
        """The CPUs that a task can be bound to; none where tasks migrate."""

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Ranges of longs, as (first, end), the whole map first."""


class Arguments(Protocol):
    """One kind of arguments."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return every choice that there can be, the ones that reports prefer first."""

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return what a choice means."""


@dataclass(frozen=True)
class NoArguments:
    """Nothing to choose."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return the only choice."""
        return [{}]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class Ports:
    """A range of longs, `first` up to `end`, and whether to turn it on."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return every range, on and off, and one that is not valid."""
        ranges = [(first, end, on) for on in (1, 0) for first, end in bounds.ranges]
        return [{"first": a, "end": b, "turn_on": on} for a, b, on in [*ranges, (0, 0, 1)]]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return the ports, and the flag."""
        ports = ports_of(choice["first"], choice["end"])
        return {"ports": ports, "turn_on": bool(choice["turn_on"])}


@dataclass(frozen=True)
class Level:
    """An I/O privilege level."""

    levels: tuple[int, ...]

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return every level."""
        return [{"level": level} for level in self.levels]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return the level."""
        return choice


@dataclass(frozen=True)
class Child:
    """The task slot that a child gets."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return every slot, whether it is free or not."""
        return [{"child": slot} for slot in range(bounds.tasks)]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return the slot."""
        return choice


@dataclass(frozen=True)
class Target:
    """The task slot of another task, which something is done to."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return every slot, whatever is in it."""
        return [{"target": slot} for slot in range(bounds.tasks)]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return the slot."""
        return choice


@dataclass(frozen=True)
class Granted:
    """Whether the port that was refused is a granted one."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return both."""
        return [{"granted": flag} for flag in (1, 0)]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return the flag."""
        return {"granted": bool(choice["granted"])}


@dataclass(frozen=True)
class Home:
    """The CPU that tasks are bound to from now on; nothing to choose where tasks migrate."""

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return every CPU, also the one that the tasks leave."""
        return [{"home": cpu} for cpu in bounds.homes] or [{}]

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return the CPU."""
        return choice
