"""The measurements; each returns rows that can be printed and written as JSON."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import spin
from benchmarks.subjects import UNREDUCED, UNREDUCED_OPTIONS, Subject, check_command
from benchmarks.timing import Run, empty_caches, load, medians, run
from iopermit.translate.analyses.reductions import Reductions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Row: TypeAlias = dict[str, Any]
"""Column name to value, as JSON has them."""

_DECIDED = (0, 1)
_LIMITED = (0, 1, 3)
"""Exit statuses: holds, violated, and undetermined."""


_COUNTS = 2
"""Which of several runs in a row counts."""


def against_spin(subject: Subject, repeats: int) -> Row:
    """Compare speed with reductions off, and the time to the verdict with and without them.

    The runs of both alternate, so that other load on the machine meets both. Each is run twice and
    the second time counts: a virtual machine may have to get its memory from the host, which can
    take longer than the search, and the first run has then got it. Raises RuntimeError if the two
    do not agree about the number of states, of transitions or the verdict.
    """
    first, _ = subject.explore(UNREDUCED)  # also compiles: neither search below includes that
    ours: list[tuple[float, float]] = []
    theirs: list[spin.SpinRun] = []
    for _ in range(repeats):
        runs = [_spin(subject, first.states) for _ in range(_COUNTS)]
        theirs.append(runs[-1])
        for _ in range(_COUNTS):
            result, cpu_seconds = subject.explore(UNREDUCED)
        ours.append((result.seconds, cpu_seconds))
    expected = (first.states, first.transitions, bool(first.violations))
    for each in theirs:
        if (each.states, each.transitions, each.violated) != expected:
            message = f"{subject}: iopermit found {expected}, Spin {each}"
            raise RuntimeError(message)
    seconds, cpu_seconds = (statistics.median(column) for column in zip(*ours, strict=True))
    spin_seconds = statistics.median(each.search_seconds for each in theirs)
    spin_cpu_seconds = statistics.median(each.search_cpu_seconds for each in theirs)
    return {
        "subject": str(subject),
        "states": first.states,
        "transitions": first.transitions,
        "violated": bool(first.violations),
        "iopermit_seconds": seconds,
        "spin_seconds": spin_seconds,
        "iopermit_rate": first.transitions / seconds,
        "spin_rate": first.transitions / max(spin_seconds, 0.01),  # pan prints hundredths
        "ratio": spin_seconds / seconds,
        "iopermit_cpu_seconds": cpu_seconds,
        "spin_cpu_seconds": spin_cpu_seconds,
        "cpu_ratio": spin_cpu_seconds / cpu_seconds,
        "spin_to_verdict": statistics.median(each.total_seconds for each in theirs),
        "spin_to_verdict_cpu": statistics.median(each.cpu_seconds for each in theirs),
        "load": load(),
    }


def _spin(subject: Subject, states: int) -> spin.SpinRun:
    with tempfile.TemporaryDirectory() as folder:
        return spin.search(subject, states, Path(folder))


def to_verdict(subject: Subject, against: Row, repeats: int) -> Iterator[Row]:
    """Measure the time from the command to the verdict: a whole process of iopermit each time.

    ``against`` is what :func:`against_spin` measured for the same subject.
    """
    spin_seconds, spin_cpu = against["spin_to_verdict"], against["spin_to_verdict_cpu"]
    for reduced, options in ((False, UNREDUCED_OPTIONS), (True, ())):
        command = subject.command(*options)
        (first, first_cpu), (warm, warm_cpu) = _first_and_warm(command, repeats)
        yield {
            "subject": str(subject),
            "reductions": reduced,
            "first_use_seconds": first,
            "warm_seconds": warm,
            "spin_seconds": spin_seconds,
            "first_use_share": first / spin_seconds,
            "warm_share": warm / spin_seconds,
            "first_use_cpu_share": first_cpu / spin_cpu,
            "warm_cpu_share": warm_cpu / spin_cpu,
            "load": load(),
        }


def start_to_verdict(design: str, repeats: int) -> Row:
    """Measure `iopermit check DESIGN` as a user types it, warm and on first use."""
    (first, first_cpu), (warm, warm_cpu) = _first_and_warm(check_command(design), repeats)
    return {
        "design": design,
        "first_use_seconds": first,
        "warm_seconds": warm,
        "first_use_cpu_seconds": first_cpu,
        "warm_cpu_seconds": warm_cpu,
        "load": load(),
    }


def threads(subject: Subject, *, reduced: bool, repeats: int) -> Row:
    """Compare a search with two threads to one with a single thread, alternating."""
    reductions = Reductions() if reduced else UNREDUCED
    result, _ = subject.explore(reductions)
    one: list[float] = []
    two: list[float] = []
    for _ in range(repeats):
        one.append(subject.explore(reductions, 1)[0].seconds)
        two.append(subject.explore(reductions, 2)[0].seconds)
    return {
        "subject": str(subject),
        "reductions": reduced,
        "states": result.states,
        "one_seconds": statistics.median(one),
        "two_seconds": statistics.median(two),
        "ratio": statistics.median(one) / statistics.median(two),
        "load": load(),
    }


def growth(subjects: Iterable[Subject], timeout: int, memory: str) -> Iterator[Row]:
    """Measure what scenario after scenario costs, each as a process of its own, within limits."""
    for subject in subjects:
        limits = ("--timeout", str(timeout), "--max-memory", memory)
        done = run(subject.command(*limits), allowed=_LIMITED)
        verdict = json.loads(done.output)
        search = verdict["search"]
        yield {
            "design": subject.design,
            "bounds": list(subject.bounds),
            "events": subject.events,
            "verdict": verdict["verdict"],
            "exhausted": search["exhausted"],
            "states": search["states"],
            "transitions": search["transitions"],
            "depth": search["depth"],
            "search_seconds": search["seconds"],
            "process_seconds": done.seconds,
            "process_cpu_seconds": done.cpu_seconds,
            "search_bytes": search["memory"],
            "load": load(),
        }


def _first_and_warm(
    command: list[str], repeats: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return seconds and processor seconds, with empty caches and with full ones."""
    first = medians(repeats, lambda: _first_use(command))
    run(command, allowed=_DECIDED)
    return first, medians(repeats, lambda: run(command, allowed=_DECIDED))


def _first_use(command: list[str]) -> Run:
    with empty_caches() as environment:
        return run(command, environment=environment, allowed=_DECIDED)
