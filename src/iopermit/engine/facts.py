"""What was being worked on when something failed: facts that an exception takes along."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

Facts: TypeAlias = dict[str, Any]
"""Facts by their names, in a form that JSON can have: exceptions go from process to process."""

_ATTRIBUTE = "iopermit_facts"


@contextlib.contextmanager
def concerning(facts: Callable[[], Facts]) -> Iterator[None]:
    """Let an exception that passes take facts along, for the report of an internal error.

    Facts that it has already, from where it is nearer to the fault, stay.

    Args:
        facts: returns them; called only if there is an exception.
    """
    try:
        yield
    except Exception as error:
        # The fault that is under way is more important than one in describing it.
        with contextlib.suppress(Exception):
            error.__dict__[_ATTRIBUTE] = facts() | facts_of(error)
        raise


def facts_of(error: BaseException) -> Facts:
    """Return what an exception took along."""
    found = error.__dict__.get(_ATTRIBUTE, {})
    return dict(found) if isinstance(found, dict) else {}


def about_design(design: type[Design], options: tuple[str, ...] = ()) -> Facts:
    """Return what identifies a design: id, file, and the switches that are set."""
    switches = sorted({*options, *(name for name in design.options if getattr(design, name))})
    return {"design": design.id, "design file": inspect.getfile(design), "options": switches}


def about_scenario(scenario: Scenario) -> Facts:
    """Return the bounds and the events of a scenario."""
    return {
        "scenario": {
            "cpus": scenario.cpus,
            "tasks": scenario.tasks,
            "longs": scenario.longs,
            "events": sorted(event.name for event in scenario.events),
            "garbage": scenario.garbage,
        }
    }
