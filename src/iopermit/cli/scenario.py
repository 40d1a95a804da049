"""The options that every verb with a scenario shares, and what they mean."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.parser.completion import designs_like, events_like
from iopermit.system.events import Event, all_events, askable_events, plain_events
from iopermit.system.scenario import Scenario

Design = Annotated[
    str,
    typer.Argument(
        metavar="DESIGN",
        help="An id (see `iopermit list`), FILE.py, or FILE.py:CLASS.",
        show_default=False,
        autocompletion=designs_like,
    ),
]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME", help="Set a switch of the design. Repeatable."),
]
Events = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LIST",
        help="`all`, `plain`, or names separated by commas. Repeatable: adds up.",
        autocompletion=events_like,
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LIST",
        help="Leave these events out, separated by commas. Repeatable: adds up.",
        autocompletion=events_like,
    ),
]
Cpus = Annotated[int | None, typer.Option(metavar="N", help="CPUs (2 if other bounds are given).")]
Tasks = Annotated[int | None, typer.Option(metavar="N", help="Tasks alive at once (3).")]
Longs = Annotated[int | None, typer.Option(metavar="N", help="Longs of the port bitmap (2).")]

MOST_THREADS: Final = 1024
"""Threads or processes of one command."""
_MOST_SECONDS: Final = 1e9
"""Some thirty years: what the clocks of the system can count."""
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def scenario(
    events: Sequence[str] | None,
    without: Sequence[str] | None,
    cpus: int | None,
    tasks: int | None,
    longs: int | None,
) -> Scenario | None:
    """Return the scenario that the options fix, or None if there are no such options.

    Args:
        events: each use of `--events`; together they name what can happen (all, if none does).
        without: each use of `--without`; what any of them names cannot happen.
        cpus: how many, or None for the default.
        tasks: the same of tasks alive at once.
        longs: the same of longs of the bitmap.

    Raises:
        BadInputError: a bound makes no sense, or there is no event of that name.
    """
    if not events and not without and all(bound is None for bound in (cpus, tasks, longs)):
        return None
    wanted = _events(",".join(events or ()) or "all") - _events(",".join(without or ()))
    if not wanted:
        raise BadInputError("no event is left: nothing could ever happen")
    default = Scenario()
    try:
        return Scenario(
            default.cpus if cpus is None else cpus,
            default.tasks if tasks is None else tasks,
            default.longs if longs is None else longs,
            wanted,
        )
    except ValueError as error:
        raise BadInputError(str(error)) from error


def _events(text: str) -> frozenset[Event]:
    groups = {"all": all_events(), "plain": plain_events()}
    known = groups | {event.name: frozenset({event}) for event in askable_events()}
    result: frozenset[Event] = frozenset()
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the events: {', '.join(known)}"
            raise BadInputError(f"there is no event {name!r}; {hint}")
        result |= known[name]
    return result


def memory_size(text: str | None) -> int | None:
    """Return a size in bytes from text as ``2G``, ``512M`` or ``1000000``.

    Raises:
        BadInputError: it is no size.
    """
    if text is None:
        return None
    form = r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(?:i?B)?"
    match = re.fullmatch(form, text.strip(), re.IGNORECASE | re.ASCII)
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size <= 0:
        raise BadInputError(f"{text!r} is no amount of memory; write for example 2G or 512M")
    return size


def seconds(value: float | None) -> float | None:
    """Return a limit of time in seconds, as given.

    Raises:
        BadParameter: it is no number, or no time that can be waited for.
    """
    if value is not None and not (math.isfinite(value) and value <= _MOST_SECONDS):
        raise typer.BadParameter(f"{value:g} is no number of seconds up to {_MOST_SECONDS:g}")
    return value
