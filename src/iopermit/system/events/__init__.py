"""What can happen: the table of events, what each one does, and the hooks of a design it calls."""

from iopermit.system.events import table  # noqa: F401 - fills the table
from iopermit.system.events.event import (
    EVENTS,
    Asked,
    Event,
    Precondition,
    Who,
    all_events,
    askable_events,
    event_named,
    events_of,
    operation_of,
    plain_events,
    register,
)

__all__ = [
    "EVENTS",
    "Asked",
    "Event",
    "Precondition",
    "Who",
    "all_events",
    "askable_events",
    "event_named",
    "events_of",
    "operation_of",
    "plain_events",
    "register",
]
