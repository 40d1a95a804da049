"""What tests of exploring share: a session, and taking what is called so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.designs import find
from iopermit.explore.session import Session
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.engine.trace import Violation
    from iopermit.explore.session import Choice
    from iopermit.system.events import Event

LEAK = ("ioperm(0, 65536, 1)", "switch_to() to B", "ioperm(0, 64, 1)")
"""The schedule of the leak that a review found in patch V2 06/16."""


def session(
    design: str = "linux-v2-06",
    bounds: tuple[int, int, int] = (1, 2, 2),
    events: frozenset[Event] = PLAIN_EVENTS,
) -> Session:
    """Return a session at its beginning."""
    return Session(find(design), Scenario(*bounds, events))


def violation(at: Session) -> Violation | None:
    """Return what a session has come to."""
    return at.violation


def choice(at: Session, text: str, cpu: int = 0) -> Choice:
    """Return the choice of a CPU that is called so."""
    (found,) = [
        c for group in at.choices() if group.cpu == cpu for c in group.choices if text in c.text
    ]
    return found


def walk(at: Session, *texts: str) -> None:
    """Take choices of the first CPU one after the other, each to its end."""
    for text in texts:
        at.take(choice(at, text), whole=True)
