"""Compares this tree with another revision: the same work in turn, and ratios pair by pair.

Only the command line is used, which is the same in both; what lies behind it may have moved.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from benchmarks.subjects import UNREDUCED_OPTIONS, Subject
from benchmarks.tables import table
from benchmarks.timing import load
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.measurements import Row
    from benchmarks.revisions import Revision
    from iopermit.system.events import Event

Part: TypeAlias = Literal["start-up", "compile", "search", "trees"]


@dataclass(frozen=True)
class Cost:
    """What one piece of work took."""

    seconds: float
    """Of the process, or, of a search, from its first state to its last."""
    cpu_seconds: float
    """Processor time of the process and its children."""
    result: tuple[str, int] | None
    """Verdict and number of states, of a search or a compilation."""


@dataclass(frozen=True)
class Work:
    """A command line, and what of it is measured.

    Start-up: a process whose machine code is there. Compile: one that finds none, with a model so
    small that its search does not count. Search: the search alone, of a model compiled before.
    Trees: the search alone, of a kernel tree whose objects were compiled before.
    """

    part: Part
    name: str
    arguments: tuple[str, ...]

    def cost(self, revision: Revision) -> Cost:
        """Do the work once; RuntimeError if the command fails."""
        if self.part == "compile":
            with tempfile.TemporaryDirectory() as empty:
                done = revision.run(*self.arguments, cache=Path(empty))
        else:
            done = revision.run(*self.arguments)
        if self.part == "start-up":
            return Cost(done.seconds, done.cpu_seconds, None)
        verdict = json.loads(done.output)
        search = verdict["search"]
        seconds = done.seconds if self.part == "compile" else search["seconds"]
        return Cost(seconds, done.cpu_seconds, (verdict["verdict"], search["states"]))


def _checking(
    part: Part,
    design: str,
    events: frozenset[Event],
    bounds: tuple[int, int, int],
    *options: str,
) -> Work:
    subject = Subject(design, Scenario(*bounds, events))
    name = f"{subject}, unreduced" if options else str(subject)
    return Work(part, name, (*subject.arguments(), *options))


_HOLDS: Final = "linux-6.16+preempt_off"
_START: Final = (
    Work("start-up", "iopermit list", ("list",)),
    Work("start-up", "iopermit check linux-v2-06", ("check", "linux-v2-06")),
)
_COMPILE: Final = (
    _checking("compile", "linux-5.4", PLAIN_EVENTS, (1, 1, 1)),
    _checking("compile", _HOLDS, ALL_EVENTS, (1, 1, 1)),
)
_SMALL_SEARCH: Final = (
    _checking("search", "linux-5.4", PLAIN_EVENTS, (1, 3, 1)),
    _checking("search", _HOLDS, ALL_EVENTS, (2, 2, 2)),
)
_SEARCH: Final = (
    _checking("search", "linux-5.4", PLAIN_EVENTS, (2, 3, 1)),
    _checking("search", "linux-5.4", PLAIN_EVENTS, (1, 2, 1), *UNREDUCED_OPTIONS),
    _checking("search", _HOLDS, ALL_EVENTS, (2, 3, 1)),
)

TINY: Final = (
    _START[0],
    _COMPILE[0],
    _checking("search", "linux-5.4", PLAIN_EVENTS, (1, 2, 1)),
)
"""Only to try the command itself."""
QUICK: Final = (*_START, *_COMPILE, *_SMALL_SEARCH)
"""About half a minute for each repetition."""
FULL: Final = (*_START, *_COMPILE, *_SMALL_SEARCH, *_SEARCH)


_FEW: Final = "ioperm,iopl,fork,fork-fails,exit,io-thread,preempt"
"""Under these a repaired tree has no violation, and its states end."""
_DEFAULT_BOUNDS: Final = ((1, 2, 2), (2, 2, 1))
"""What `check --kernel` searches without bounds."""


def of_tree(tree: Path, *, small: bool) -> tuple[Work, ...]:
    """Return the work that a kernel tree is; a `small` one takes a few seconds."""
    return tuple(
        Work(
            "trees",
            f"{tree.name} {'/'.join(map(str, bounds))}",
            (
                *("check", "--kernel", str(tree.resolve()), "--json", "--events", _FEW),
                *("--cpus", str(bounds[0]), "--tasks", str(bounds[1]), "--longs", str(bounds[2])),
            ),
        )
        for bounds in (((1, 2, 1),) if small else _DEFAULT_BOUNDS)
    )


def compare(works: Iterable[Work], here: Revision, there: Revision, repeats: int) -> Iterator[Row]:
    """Measure each work in both trees, in turn; each first once for the caches, not counted."""
    for work in works:
        first = (work.cost(here), work.cost(there))
        pairs = [_pair(work, here, there, turn) for turn in range(repeats)]
        yield {"part": work.part, "work": work.name, **ratios(pairs), "load": load()} | {
            "results_here": first[0].result,
            "results_there": first[1].result,
        }


def _pair(work: Work, here: Revision, there: Revision, turn: int) -> tuple[Cost, Cost]:
    """Take turns at being first: what the first leaves behind, warm or busy, helps neither."""
    if turn % 2:
        other = work.cost(there)
        return work.cost(here), other
    return work.cost(here), work.cost(there)


def ratios(pairs: Sequence[tuple[Cost, Cost]]) -> Row:
    """Return the medians of both sides, and of the ratios, here by there, of each pair."""
    by_clock = [here.seconds / there.seconds for here, there in pairs]
    by_cpu = [here.cpu_seconds / there.cpu_seconds for here, there in pairs]
    return {
        "here_seconds": statistics.median(here.seconds for here, _ in pairs),
        "there_seconds": statistics.median(there.seconds for _, there in pairs),
        "pairs": len(pairs),
        "ratio": statistics.median(by_clock),
        "least_ratio": min(by_clock),
        "greatest_ratio": max(by_clock),
        "cpu_ratio": statistics.median(by_cpu),
        "least_cpu_ratio": min(by_cpu),
        "greatest_cpu_ratio": max(by_cpu),
    }


def comparison_table(rows: Sequence[Row]) -> str:
    """Return the ratios; above 1 this tree is slower."""
    heads = ("work", "states", "here, s", "there, s", "ratio", "min", "max",
             "by CPU time", "min", "max", "load")  # fmt: skip
    return table(
        heads,
        [
            (
                f"{row['part']}: {row['work']}",
                _results(row["results_here"], row["results_there"]),
                f"{row['here_seconds']:.3f}",
                f"{row['there_seconds']:.3f}",
                f"**{row['ratio']:.2f}**",
                f"{row['least_ratio']:.2f}",
                f"{row['greatest_ratio']:.2f}",
                f"**{row['cpu_ratio']:.2f}**",
                f"{row['least_cpu_ratio']:.2f}",
                f"{row['greatest_cpu_ratio']:.2f}",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


def _results(here: tuple[str, int] | None, there: tuple[str, int] | None) -> str:
    """Show that both did the same, or that they did not and the ratio means little."""
    if here is None or there is None:
        return "-"
    if here == there:
        return f"{here[1]:,}"
    return f"differ: {here[0]}, {here[1]:,} here; {there[0]}, {there[1]:,} there"
