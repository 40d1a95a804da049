"""Shows on standard error how far a search is: a live line on a terminal, else a line at times."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.cli.output import complain
from iopermit.engine.control import Control
from iopermit.scale.progress import ProgressOfFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iopermit.engine.limits import Limits
    from iopermit.engine.progress import Progress
    from iopermit.system.scenario import Scenario

_WAITS: Final = (1.0, 2.0, 7.0, 10.0)
"""Seconds before each line, where standard error is no terminal; the last one is repeated."""
_PER_SECOND: Final = 4
"""How often the live line is drawn anew."""


@dataclass(frozen=True)
class ToldControl(Control):
    """A control that tells when the search of a scenario begins."""

    begins: Callable[[str], None] | None = None

    def about(self, scenario: str) -> Control:
        """Return the same for the search of a scenario, after telling that it begins."""
        if self.begins is not None:
            self.begins(scenario)
        return super().about(scenario)


@dataclass
class SearchProgress:
    """How far the searches of a verb are, as one line at any time.

    A search tells figures only after each of its levels; the clock goes on in between.
    """

    ladder: Callable[[], Iterable[Scenario]] = tuple
    """Returns what is to be searched, in order; nothing if that is not known. Called when the first
    search begins."""
    several_processes: bool = False
    """Whether other processes search, too."""
    started: float = field(default_factory=time.monotonic)
    number: int = 0
    """Of the scenario, counted from 1; 0 if it is none of these."""
    size: str = ""
    """Of the scenario, in words; empty before the first."""
    latest: Progress | None = None
    """The last figures of this scenario."""

    @functools.cached_property
    def scenarios(self) -> list[Scenario]:
        """What is to be searched, in order."""
        return list(self.ladder())

    def begins(self, size: str) -> None:
        """Take note that the search of a scenario begins, or another one of the same."""
        alike = [n for n, scenario in enumerate(self.scenarios, 1) if scenario.size == size]
        if self.number not in alike:
            later = [n for n in alike if n > self.number]
            self.number = (later or alike or [0])[0]
        self.size, self.latest = size, None

    def told(self, progress: Progress) -> None:
        """Take note of figures."""
        self.latest = progress

    def control(self, limits: Limits) -> Control:
        """Return what goes along with the searches, and keeps this up to date."""
        return ToldControl(limits, self.told, begins=self.begins)

    def line(self) -> str:
        """Return where the search is now."""
        what = figures(self.latest) if self.latest is not None else self._phase()
        parts = [f"{self._where()}{what}", f"{time.monotonic() - self.started:.0f} s"]
        if self.several_processes and (others := _children()):
            memory = sum(others) / (1 << 20)
            noun = "process" if len(others) == 1 else "processes"
            parts.append(f"and {len(others)} more {noun} with {memory:,.0f} MiB")
        return ", ".join(parts)

    def _phase(self) -> str:
        # The search of a tree has nothing to compile: it was built before.
        return "compiling" if self.size and not self.several_processes else "preparing"

    def _where(self) -> str:
        if not self.size:
            return ""
        if not self.number:
            return f"scenario ({self.size}): "
        from iopermit.report.words import events  # only if something is shown

        what = events(self.scenarios[self.number - 1])
        count = f" {self.number} of {len(self.scenarios)}" if len(self.scenarios) > 1 else ""
        return f"scenario{count} ({self.size}, {what}): "


def figures(progress: Progress) -> str:
    """Return the figures of a search, in words."""
    rate = progress.states / progress.seconds if progress.seconds > 0 else 0.0
    parts = [
        f"{progress.states:,} states",
        f"depth {progress.depth}",
        f"frontier {progress.frontier:,}",
        f"{rate:,.0f} states/s",
        f"{progress.memory / (1 << 20):,.0f} MiB",
    ]
    if isinstance(progress, ProgressOfFiles) and progress.own_seconds > 0:
        for what, amount in (("spilled", progress.spilled), ("read", progress.read)):
            size, speed = amount / (1 << 20), amount / progress.own_seconds / (1 << 20)
            parts += [f"{what} {size:,.0f} MiB ({speed:,.0f} MiB/s)"] if amount else []
    return ", ".join(parts)


def _children() -> list[int]:
    """Return how many bytes of memory each child process has; nothing where that is not told."""
    page = os.sysconf("SC_PAGE_SIZE")
    sizes = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for children in Path("/proc/self/task").glob("*/children"):
            for pid in children.read_text(encoding="ascii").split():
                statm = Path("/proc", pid, "statm").read_text(encoding="ascii")
                sizes.append(int(statm.split()[1]) * page)
    return sizes


@contextlib.contextmanager
def shown(
    *,
    quiet: bool,
    ladder: Callable[[], Iterable[Scenario]] = tuple,
    several_processes: bool = False,
) -> Iterator[SearchProgress]:
    """Show on standard error, from the first second on, what the searches of a verb tell.

    Results are to be written after the end of the block: on a terminal a line is drawn in it.
    """
    progress = SearchProgress(ladder, several_processes)
    if quiet:
        yield progress
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _live(progress):
            yield progress
    else:
        with _lines(progress):
            yield progress


@contextlib.contextmanager
def _live(progress: SearchProgress) -> Iterator[None]:
    from rich.console import Console  # only for terminals
    from rich.live import Live  # only for terminals
    from rich.text import Text  # only for terminals

    live = Live(
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=_PER_SECOND,
        get_renderable=lambda: Text(progress.line()),
        # Standard output is none of its business: it may be a file.
        redirect_stdout=False,
        redirect_stderr=True,
    )
    with live:
        yield


@contextlib.contextmanager
def _lines(progress: SearchProgress) -> Iterator[None]:
    ended = threading.Event()

    def tell() -> None:
        waits = itertools.chain(_WAITS, itertools.repeat(_WAITS[-1]))
        while not ended.wait(next(waits)):
            complain(progress.line())

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
