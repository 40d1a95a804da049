"""The report as text: headline, timeline, what is wrong, and what was and was not covered."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.arch import format_ranges
from iopermit.report import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iopermit.engine.trace import Violation
    from iopermit.engine.verdict import KernelSubject, Obligations, Saving, Verdict
    from iopermit.system.site import Site

WIDTH: Final = 100
"""Columns, if no other number is asked for; only file names and statements may be longer."""

_MOST_PLACES: Final = 12
"""Statements that were never executed are named up to this many, and counted."""

_STYLES: Final = {"holds": "bold green", "violated": "bold red", "undetermined": "bold yellow"}


@dataclass(frozen=True)
class Line:
    """One line of a report, and its style where colours can be seen (a style of rich)."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class SeenOnKernel:
    """What a report about a violation says besides if it was forced on a booted kernel."""

    outcome: Line
    """Behind the headline."""
    table: tuple[str, ...]
    """In the place of the timeline, heading first; empty if nothing was booted."""
    facts: tuple[Line, ...]
    """Behind the facts about the violation."""


def report(
    verdict: Verdict,
    *,
    steps: bool = False,
    headline_only: bool = False,
    saved: Path | None = None,
    width: int = WIDTH,
    seen: SeenOnKernel | None = None,
) -> list[Line]:
    """Return the report about a verdict and the other violations found.

    Args:
        verdict: what to report.
        steps: show every atomic step with its place in the source instead of the few lines.
        headline_only: leave out everything but the headlines.
        saved: the file that has the schedule for ``iopermit replay``, if there is one.
        width: columns, 60 or more.
        seen: what a booted kernel showed of the first violation.
    """
    lines: list[Line] = []
    for one in (verdict, *verdict.also):
        if lines and not headline_only:
            lines.append(Line(""))
        lines += _headline(words.headline(one), one.verdict, width)
        lines += _headline(words.warning(one), "undetermined", width)
        shown = seen if one is verdict else None
        if shown is not None:
            style = shown.outcome.style
            lines += [Line(part, style) for part in _wrapped(shown.outcome.text, width)]
        if not headline_only and one.violation is not None:
            lines += _violated(one, one.violation, width, None if steps else shown, steps=steps)
            lines += [] if shown is None else shown.facts
    left = words.what_is_open(verdict)
    if left:
        lines += [] if headline_only else [Line("")]
        lines += _headline(left, "undetermined", width)
    if not headline_only:
        if verdict.violation is not None:
            lines.append(Line(""))
            lines += labelled("replay", _replay(verdict, saved), width)
        for label, text in facts(verdict):
            lines += labelled(label, text, width)
    return [Line(line.text.rstrip(), line.style) for line in lines]


def _headline(text: str, outcome: str, width: int) -> list[Line]:
    return [Line(part, _STYLES[outcome]) for part in _wrapped(text, width)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="     ", break_on_hyphens=False)


def _violated(
    verdict: Verdict,
    violation: Violation,
    width: int,
    seen: SeenOnKernel | None,
    *,
    steps: bool,
) -> Iterator[Line]:
    # Imported only now: the report about a design that holds has no table.
    from iopermit.report.table import steps_table, timeline_table

    yield Line("")
    trace = verdict.trace or ()
    table = steps_table(trace, width) if steps else timeline_table(trace, width)
    head, *body = table if seen is None or not seen.table else seen.table
    yield Line(head, "bold")
    yield from map(Line, body)
    for text in wrong(violation):
        parts = textwrap.wrap(text, width - 7, subsequent_indent="  ", break_on_hyphens=False)
        yield from (Line(f"       {part}", "red") for part in parts)
    yield Line("")
    for label, text in _facts(verdict, violation):
        yield from labelled(label, text, width)


def _facts(verdict: Verdict, violation: Violation) -> Iterator[tuple[str, str]]:
    """Yield where the violation comes from and how sure it is, each with its label."""
    if violation.site is not None:
        source = f"{words.place(violation.site)}  {violation.site.text.strip()}"
        yield "kernel source" if verdict.kernel is not None else "design source", source
    yield "confirmed", confirmed(verdict)
    if violation.needs_privilege is not None:
        yield "privilege", privilege(needed=violation.needs_privilege)


def wrong(violation: Violation) -> Iterator[str]:
    """Yield what the state after the last step is like."""
    task = violation.task
    match violation.kind:
        case "leak" if violation.without_privilege:
            yield (
                f"{task} had no CAP_SYS_RAWIO when it made the call, before which it was granted  "
                f"{format_ranges(violation.granted)}"
            )
        case "leak" | "loss":
            yield (
                f"the CPU now allows {task}  {format_ranges(violation.allowed)};  "
                f"{task} was granted  {format_ranges(violation.granted)}"
            )
            if violation.repeats_every is not None:
                yield _for_ever(violation.repeats_every)
        case "crash":
            yield f"the kernel crashes on CPU {violation.cpu}: {violation.message}"
        case "rule":
            yield violation.message
        case "garbage":
            yield "this memory stays allocated for ever: no task, CPU or object refers to it"


def _for_ever(refusals: int) -> str:
    every = "every refusal" if refusals == 1 else f"every {refusals} refusals"
    return (
        f"it does not end: with nothing but the refused access and the handler, the same state "
        f"comes again after {every}"
    )


def confirmed(verdict: Verdict) -> str:
    """Return whether a violation was shown at full size, too."""
    if verdict.search.confirmed_full_size:
        return (
            "at full size (65,536 ports, the bytes of the TSS): the same schedule, the same fault"
        )
    return "no: the schedule was not replayed at full size"


def privilege(*, needed: bool) -> str:
    """Return who can gain ports by a violation."""
    if needed:
        return "only a task that has CAP_SYS_RAWIO at some time can gain ports"
    return "a task that never has CAP_SYS_RAWIO can gain ports, too"


def _replay(verdict: Verdict, saved: Path | None) -> str:
    if saved is not None:
        return f"iopermit replay {shlex.quote(str(saved))}"
    file = shlex.quote(f"{verdict.subject}.json")
    return f"check again with --save {file}, then: iopermit replay {file}"


def facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield what was searched and what was not: a label, and the text under it."""
    search, uncovered = verdict.search, verdict.uncovered
    if search.exhausted:
        end = "exhausted: every reachable state was visited"
    elif verdict.verdict == "violated" and not verdict.reason:
        end = "stopped at the shortest violation"
    else:
        end = "not exhausted: this says nothing about the states that were not visited"
    yield "search", f"{words.search_figures(search)}; {end}"
    if search.savings:
        yield "reductions", _savings(search.savings)
    if search.obligations is not None:
        yield "obligations", _obligations(search.obligations)
    if verdict.violation is not None:
        yield "scenario", f"{words.bounds(verdict.scenario)}; {words.events(verdict.scenario)}"
    if verdict.kernel is not None:
        yield from _kernel(verdict.kernel)
    if uncovered.not_asked:
        yield "events not asked", ", ".join(uncovered.not_asked)
    if uncovered.events:
        yield "events never possible", ", ".join(uncovered.events)
    if uncovered.statements:
        noun = "statement" if verdict.kernel is None else "line"
        number = words.count(len(uncovered.statements), noun)
        # Of a tree each is named: who signs for it has to know what was not executed.
        most = _MOST_PLACES if verdict.kernel is None else len(uncovered.statements)
        yield "never executed", f"{number}: {_places(uncovered.statements, most)}"


def _savings(savings: tuple[Saving, ...]) -> str:
    """Return the states of the whole scenario, and how many there are without each reduction."""
    parts = [
        f"without {saving.reduction} "
        + ("" if saving.exhausted else "more than ")
        + f"{saving.states_without:,}"
        for saving in savings
    ]
    return f"{savings[0].states:,} states in the whole scenario; {', '.join(parts)}"


def _obligations(found: Obligations) -> str:
    """Return what the solver says of the reductions."""
    if found.failures:
        return "not discharged: " + "; ".join(found.failures)
    return (
        f"z3 discharged {found.asked:,} in {found.seconds:.1f} s, about {', '.join(found.of)}; "
        f"{found.apart:,} pairs of steps touch nothing in common"
    )


def _kernel(kernel: KernelSubject) -> Iterator[tuple[str, str]]:
    """Yield which tree it is about, and within which bounds."""
    how = " taken back" if kernel.reverse else ""
    patched = f", {words.count(len(kernel.patches), 'patch')}{how}" if kernel.patches else ""
    preemption = "" if kernel.configuration == "full" else f", --config {kernel.configuration}"
    yield "tree", f"{kernel.tree} (Linux {kernel.version}{preemption}{patched})"
    if kernel.without is not None:
        label = "with the patches" if kernel.reverse else "without the patches"
        yield label, words.without_patches(kernel)
    for bound in kernel.bounds:
        yield "bound", bound
    if kernel.lines:
        text = f"{kernel.covered} of {kernel.lines} lines of the subsystem's C code were executed"
        yield "coverage", text


def _places(sites: tuple[Site, ...], most: int) -> str:
    """Return lines by file, such as "designs/linux/v5_5.py:40, 43, 51; and 12 more"."""
    lines: dict[str, list[int]] = {}
    for site in sites[:most]:
        file = words.place(site).rpartition(":")[0]
        lines.setdefault(file, []).append(site.line)
    parts = [f"{file}:{', '.join(map(str, sorted(set(n))))}" for file, n in lines.items()]
    more = len(sites) - most
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def labelled(label: str, text: str, width: int = WIDTH) -> list[Line]:
    """Return a text behind a label, wrapped so that the label stands alone."""
    head = f" {label}: "
    parts = textwrap.wrap(
        text, width - len(head), break_on_hyphens=False, break_long_words=False
    ) or [""]
    lines = [head + parts[0], *(" " * len(head) + part for part in parts[1:])]
    return [Line(line) for line in lines]
