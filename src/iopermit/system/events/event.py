"""What an event is, and how to find those of a scenario; the table has them all."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from iopermit.system.events.arguments import (
    Arguments,
    Bounds,
    Choice,
    NoArguments,
    PortsOf,
    Values,
)
from iopermit.system.events.hooks import Hook
from iopermit.system.events.operations import Effect, Operation, effects


class Asked(enum.Enum):
    """How a scenario comes to have an event."""

    PLAIN = enum.auto()
    """It is in the set `plain`, and in `all`."""
    ALL = enum.auto()
    """It is in the set `all` only."""
    NEVER = enum.auto()
    """Nobody asks for it: it is there with others, or with a hook of the design."""


class Who(enum.Enum):
    """Who can do something."""

    USER = enum.auto()
    """A task that executes user code."""
    KERNEL_THREAD = enum.auto()
    """A kernel thread between two events."""
    IDLE = enum.auto()
    """A CPU that runs its idle task."""


class Precondition(enum.Enum):
    """What must be so for an event to be possible, besides that the scenario has it."""

    NONE = enum.auto()
    PRIVILEGED = enum.auto()
    """The task has CAP_SYS_RAWIO."""
    FREE_SLOT = enum.auto()
    """The slot `child` is free, and the allocator may choose it."""
    STOPPABLE = enum.auto()
    """The task in the slot `target` waits in user mode, and is on no CPU."""
    REFUSED = enum.auto()
    """The processor refuses a port that is granted, or one that is not, as `granted` says."""
    OTHERS_STAY_UP = enum.auto()
    """There is another CPU, none is coming up, and `home`, if there is one, is another."""


USERS: Final = frozenset({Who.USER})
IDLE: Final = frozenset({Who.IDLE})
EVERYBODY: Final = frozenset({Who.USER, Who.KERNEL_THREAD})


@dataclass(frozen=True, kw_only=True, repr=False)
class Event:
    """Something that can happen: a row of the table. Equal names, equal events."""

    name: str
    """Its name on the command line, in schedules and in JSON."""
    meaning: str = field(compare=False)
    """A sentence about it."""
    asked: Asked = field(compare=False)
    text: str = field(default="", compare=False)
    """How reports tell that it happens: a format string over its arguments (`Values`) and `cpu`."""
    who: frozenset[Who] = field(default=frozenset(), compare=False)
    """Who can do it; nobody if it only changes when other things can happen."""
    operation: Operation | None = field(default=None, compare=False)
    """What it does."""
    arguments: Arguments = field(default=NoArguments(), compare=False)
    fixed: Mapping[str, bool] = field(default_factory=dict, compare=False)
    """Further arguments of the operation, always the same."""
    guard: Precondition = field(default=Precondition.NONE, compare=False)
    hook: Hook | None = field(default=None, compare=False)
    """The hook without which a design does not have the event."""
    needs: tuple[Event, ...] = field(default=(), compare=False)
    """What a scenario must have for an event that nobody asks for."""
    part_of: Event | None = field(default=None, compare=False)
    """The event of which it is an aspect, if nobody can do it by itself."""

    IOPERM: ClassVar[Event]
    IOPL: ClassVar[Event]
    IOPL_LEVELS: ClassVar[Event]
    FORK: ClassVar[Event]
    FORK_FAILS: ClassVar[Event]
    FORK_FAILS_EARLY: ClassVar[Event]
    IO_THREAD: ClassVar[Event]
    IO_THREAD_FAILS: ClassVar[Event]
    EXIT: ClassVar[Event]
    EXEC: ClassVar[Event]
    DROP_PRIVILEGE: ClassVar[Event]
    ALLOCATION_FAILS: ClassVar[Event]
    PREEMPT: ClassVar[Event]
    MIGRATE: ClassVar[Event]
    VM_EXIT: ClassVar[Event]
    READ_MAP: ClassVar[Event]
    FAULT: ClassVar[Event]
    CPU_OFFLINE: ClassVar[Event]
    SWITCH: ClassVar[Event]

    def __repr__(self) -> str:
        """Return the name, with the class."""
        return f"Event({self.name!r})"

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def is_in(self, events: Collection[Event], has_hook: Callable[[str], bool]) -> bool:
        """Return whether a scenario with `events` has it, in a design with certain hooks."""
        if self.hook is not None and not has_hook(self.hook.name):
            return False
        if self.asked is Asked.NEVER:
            return all(needed in events for needed in self.needs)
        return self in events

    def choices(self, bounds: Bounds) -> list[Choice]:
        """Return the arguments with which it can happen, whatever the guard says of them."""
        return self.arguments.choices(bounds)

    def values(self, choice: Choice, ports_of: PortsOf) -> Values:
        """Return what the arguments of a schedule mean to the operation."""
        return {**self.arguments.values(choice, ports_of), **self.fixed}

    def told(self, values: Values) -> str:
        """Return how reports tell that it happens."""
        return self.text.format(**values)

    @property
    def effects(self) -> frozenset[Effect]:
        """What it can change beside what hooks do."""
        if self.operation is None:
            return frozenset()
        return frozenset((*self.operation.at_once, *effects(self.operation.body)))


EVENTS: Final[dict[str, Event]] = {}
"""Every event by its name, in the order in which they are listed."""


def register(event: Event) -> Event:
    """Enter an event into the table and return it.

    Raises:
        ValueError: there is an event of that name.
    """
    if event.name in EVENTS:
        raise ValueError(f"there is an event {event.name!r} already")
    EVENTS[event.name] = event
    return event


def event_named(name: str) -> Event:
    """Return the event that a scenario can ask for under a name.

    Raises:
        ValueError: there is none.
    """
    event = EVENTS.get(name)
    if event is None or event.asked is Asked.NEVER:
        raise ValueError(f"{name!r} is no event")
    return event


def askable_events() -> list[Event]:
    """Return the events that a scenario can ask for, in the order of the table."""
    return [event for event in EVENTS.values() if event.asked is not Asked.NEVER]


def all_events() -> frozenset[Event]:
    """Return every event that a scenario can ask for."""
    return frozenset(askable_events())


def plain_events() -> frozenset[Event]:
    """Return the events that happen on every machine, all the time."""
    return frozenset(event for event in EVENTS.values() if event.asked is Asked.PLAIN)


def events_of(who: Who, events: Collection[Event], has_hook: Callable[[str], bool]) -> list[Event]:
    """Return what somebody can do in a scenario, in a design with certain hooks.

    Events with the same operation stand together, where the table has the first of them.
    """
    together: dict[str, list[Event]] = {}
    for event in EVENTS.values():
        if event.operation is not None:
            together.setdefault(event.operation.name, []).append(event)
    rows = itertools.chain.from_iterable(together.values())
    return [event for event in rows if who in event.who and event.is_in(events, has_hook)]


def operation_of(name: str, choice: Choice, ports_of: PortsOf) -> tuple[Operation, Values]:
    """Return what an event of a schedule does, and what its arguments mean to that.

    Raises:
        ValueError: there is no event of that name, or it does nothing by itself.
    """
    event = EVENTS.get(name)
    if event is None or event.operation is None:
        raise ValueError(f"there is no event {name!r}")
    return event.operation, event.values(choice, ports_of)
