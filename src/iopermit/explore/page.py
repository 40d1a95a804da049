"""Makes the page on which a person chooses what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.report import words
from iopermit.report.html.rendering import rendered
from iopermit.report.html.schedule import told
from iopermit.report.html.source import text_on_disk

if TYPE_CHECKING:
    from iopermit.explore.nearest import Way
    from iopermit.explore.session import Session
    from iopermit.report.html.model import DrawnSchedule


@dataclass(frozen=True)
class Button:
    """Something to be chosen."""

    value: str
    text: str


@dataclass(frozen=True)
class Group:
    """The choices of one CPU."""

    heading: str
    buttons: tuple[Button, ...]


@dataclass(frozen=True)
class ExplorePage:
    """The state that a person is at, and what he can do."""

    subject: str
    scenario: str
    length: int
    """Atomic steps until now; a request that names another number is of a page that is old."""
    schedule: DrawnSchedule | None
    violation: str
    groups: tuple[Group, ...]
    back: tuple[Button, ...]
    way: tuple[str, ...]
    """What a search from here found, line by line."""
    can_follow: bool
    whole: bool
    """Whether what is chosen goes on to its end at once."""
    message: str
    """Why what was asked last was not done, or empty."""


def explore_html(session: Session, way: Way | None, message: str, *, whole: bool) -> str:
    """Return the page of a session.

    Args:
        session: the session.
        way: what the last search for a violation found.
        message: what went wrong with the last request.
        whole: whether what is chosen goes on to its end at once.
    """
    page = explore_page(session, way, message, whole=whole)
    return rendered("explore.html.jinja", forms=True, page=page)


def explore_page(
    session: Session, way: Way | None, message: str = "", *, whole: bool = True
) -> ExplorePage:
    """Return what the page of a session shows; see `explore_html`."""
    length, violation = len(session.schedule), session.violation
    schedule = None
    if length:
        inside = session.in_kernel
        if violation is not None and violation.kind in ("leak", "loss"):
            inside -= {violation.task}
        schedule = told(1, "", session.trace, violation, inside, text_on_disk)
    is_current = way is not None and way.begins == length
    return ExplorePage(
        " --option ".join((session.design.id, *session.options)),
        f"{words.bounds(session.scenario)}; {words.events(session.scenario)}",
        length,
        schedule,
        f"{words.KINDS[violation.kind]}: {violation.message}" if violation else "",
        _groups(session),
        _back(schedule, length),
        _told_way(way) if way is not None and is_current else (),
        is_current and way is not None and bool(way.actions),
        whole,
        message,
    )


def _groups(session: Session) -> tuple[Group, ...]:
    groups = []
    number = 0
    for of_cpu in session.choices():
        buttons = []
        for choice in of_cpu.choices:
            buttons.append(Button(str(number), choice.text))
            number += 1
        groups.append(Group(f"CPU {of_cpu.cpu}: {of_cpu.doing}", tuple(buttons)))
    return tuple(groups)


def _back(schedule: DrawnSchedule | None, length: int) -> tuple[Button, ...]:
    """Return where one can go back to: one atomic step, or the end of a step that was told."""
    if schedule is None:
        return ()
    ends = [Button(str(step.last), f"after step {step.number}") for step in schedule.steps[:-1]]
    return (Button(str(length - 1), "one atomic step"), *ends[::-1], Button("0", "to the start"))


def _told_way(way: Way) -> tuple[str, ...]:
    searched = words.count(way.states, "state")
    if way.violation is None:
        if way.reason:
            return (f"No violation was found: {way.reason} ({searched}).",)
        return (f"No violation can be reached from here ({searched}).",)
    number = words.count(len(way.actions), "atomic step")
    found = f"{words.KINDS[way.violation.kind]}: {way.violation.message}"
    return (f"The nearest violation is {number} away: {found}.", *way.events)
