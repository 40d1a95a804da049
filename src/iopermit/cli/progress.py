"""Shows on standard error how far a search is: a live line on a terminal, else a line at times."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

from iopermit.cli.output import complain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.progress import Progress, ProgressCallback

_FIRST_LINE: Final = 2.0
"""Seconds before the first line, where standard error is no terminal."""
_EVERY: Final = 10.0
"""Seconds between lines there."""


@contextlib.contextmanager
def shown(*, quiet: bool) -> Iterator[ProgressCallback | None]:
    """Give what a search calls with its progress; None if nothing is to be shown."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        from rich.console import Console  # only for terminals
        from rich.live import Live  # only for terminals

        with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
            yield lambda progress: live.update(line(progress), refresh=True)
    else:
        yield _lines()


def _lines() -> ProgressCallback:
    due = time.monotonic() + _FIRST_LINE

    def show(progress: Progress) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _EVERY
            complain(line(progress))

    return show


def line(progress: Progress) -> str:
    """Return one line about the progress of a search."""
    rate = progress.states / progress.seconds if progress.seconds > 0 else 0.0
    parts = [
        f"{progress.states:,} states",
        f"depth {progress.depth}",
        f"frontier {progress.frontier:,}",
        f"{rate:,.0f} states/s",
        f"{progress.memory / (1 << 20):,.0f} MiB",
    ]
    where = f"{progress.scenario}: " if progress.scenario else ""
    return where + ", ".join(parts)
