"""The sets of events under which figures were recorded; a new event changes neither."""

from typing import Final

from iopermit.system.events import Event

PLAIN_EVENTS: Final = frozenset(
    {
        Event.IOPERM,
        Event.IOPL,
        Event.FORK,
        Event.EXIT,
        Event.EXEC,
        Event.DROP_PRIVILEGE,
        Event.ALLOCATION_FAILS,
        Event.PREEMPT,
        Event.MIGRATE,
    }
)
"""What `plain` was."""

ALL_EVENTS: Final = PLAIN_EVENTS | {Event.FORK_FAILS, Event.IO_THREAD, Event.VM_EXIT}
"""What `all` was."""
