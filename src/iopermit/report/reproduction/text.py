"""What was seen on a booted kernel, as text: the table of `check` with one more column."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from iopermit.report import words
from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.report.table import laid_out, timeline_cells
from iopermit.report.text import WIDTH, Line, SeenOnKernel, labelled
from iopermit.report.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.report.reproduction.facts import (
        BootedKernel,
        BootedRun,
        Observation,
        PortRead,
        Reproduction,
    )

PORTS: Final = ((0x80, 1), (0x71, 1), (0xCF8, 4))
"""Ports of which the table tells whether they are open, with the width of the access."""
_STYLES: Final = {
    "reproduced": "bold red",
    "not reproduced": "bold green",
    "undetermined": "bold yellow",
}
_CONTROLS: Final = {
    PreemptionPoint.BEFORE: "preempted one instruction before",
    PreemptionPoint.AFTER: "preempted behind the window",
    PreemptionPoint.NOWHERE: "not preempted",
}
CAVEAT: Final = "TCG shows that it can happen, not how often"


def reproduction_text(found: Reproduction) -> list[Line]:
    """Return the report."""
    lines = [
        Line(part, _STYLES[found.outcome])
        for part in textwrap.wrap(headline(found), WIDTH, subsequent_indent="     ")
    ]
    lines.append(Line(""))
    first, *others = _table(found)
    lines += [Line(first, "bold"), *map(Line, others), Line("")]
    lines += _facts(found)
    return [Line(line.text.rstrip(), line.style) for line in lines]


def seen_on_kernel(found: Reproduction) -> SeenOnKernel:
    """Return what the report of `check` says besides."""
    match found.outcome:
        case "reproduced":
            text = "REPRODUCED on a booted kernel"
        case "not reproduced":
            text = (
                "NOT REPRODUCED: every step was forced on a booted kernel, and the fault did not "
                "show"
            )
        case _:
            text = f"UNDETERMINED on a booted kernel: {found.reason}"
    table = tuple(_table(found)) if found.runs else ()
    return SeenOnKernel(Line(text, _STYLES[found.outcome]), table, tuple(_facts(found)))


def _facts(found: Reproduction) -> Iterator[Line]:
    """Yield how it was forced, and what runs and controls showed, on which kernel."""
    yield from _forcing(found)
    yield from _runs(found)
    yield from _controls(found)
    if found.kernel is not None:
        yield from _kernel(found.kernel)


def headline(found: Reproduction) -> str:
    """Return the outcome in one sentence."""
    violation = found.verdict.violation
    assert violation is not None  # only these are reproduced
    what = f"{words.KINDS[violation.kind]} of {words.subject(found.verdict)}"
    match found.outcome:
        case "reproduced":
            return f"REPRODUCED on a booted kernel: {what}: {violation.message}"
        case "not reproduced":
            return (
                f"NOT REPRODUCED: {what}: every step was forced on a booted kernel, "
                "and the fault did not show"
            )
        case _:
            return f"UNDETERMINED: {what}: {found.reason}"


def _table(found: Reproduction) -> list[str]:
    """Return the lines of the table, heading first."""
    rows = timeline(found.verdict.trace or ())
    cpus = sorted({row.cpu for row in rows})
    seen = {each.step: each for each in _shown(found)}
    head = [
        *("step", *(f"CPU {cpu}" for cpu in cpus), "what happens", "I/O map base"),
        "seen on the booted kernel",
    ]
    body = [
        [*timeline_cells(number, row, cpus)[:-1], _seen(seen.get(number))]
        for number, row in enumerate(rows, 1)
    ]
    return laid_out(head, body, WIDTH, wrapped=len(cpus) + 1)


def _shown(found: Reproduction) -> tuple[Observation, ...]:
    """Return what was seen in the first run that showed the fault, or else in the last."""
    best = next((run for run in found.runs if run.shown), found.runs[-1] if found.runs else None)
    return () if best is None else best.observations


def _seen(seen: Observation | None) -> str:
    if seen is None:
        return ""
    held = f" (held {seen.holds:,} times)" if seen.holds else ""
    closed = [port for port, width in PORTS if not seen.tss.allows(port, width)]
    ports = "ports open"
    if closed:
        some = "" if len(closed) == len(PORTS) else ": " + _hexadecimal(closed)
        ports = f"ports closed{some}"
    place = seen.place.removesuffix("+0x0")
    return f"{seen.task} at {place}{held}: base {seen.tss.base:#x}, {ports}"


def _hexadecimal(ports: list[int]) -> str:
    return ", ".join(f"{port:#x}" for port in ports)


def _forcing(found: Reproduction) -> Iterator[Line]:
    ways: dict[str, list[str]] = {}
    for number, way in enumerate(found.forced_by, 1):
        ways.setdefault(way, []).append(str(number))
    for way, steps in ways.items():
        label = "step" if len(steps) == 1 else "steps"
        yield from labelled(f"{label} {', '.join(steps)}", way)


def _runs(found: Reproduction) -> Iterator[Line]:
    if not found.runs:
        yield from labelled("runs", "none: no kernel was booted")
        return
    seconds = sum(run.seconds for run in found.runs) / len(found.runs)
    text = f"{found.successes} of {len(found.runs)} showed the fault; {seconds:.1f} s each"
    unforced = sum(not run.forced for run in found.runs)
    if unforced:
        text += f"; in {unforced} the schedule was not forced"
    yield from labelled("runs", text)
    run = next((run for run in found.runs if run.forced), None)
    if run is None:
        return
    if run.forbidden:
        text = (
            f"at {run.forbidden}, where the counterexample has the task preempted, preemption is "
            "off; it was preempted at the first place behind it"
        )
        yield from labelled("not there", text)
    violation = found.verdict.violation
    assert violation is not None  # only these are reproduced
    if violation.kind == "crash":
        crash = next((run.crash for run in found.runs if run.crash), "")
        yield from labelled("console", crash or "the kernel told of no crash")
        return
    who = f"task {violation.task}" + (f" ({found.credentials})" if found.credentials else "")
    if run.reads:
        yield from labelled("IN", f"by {who}: {', '.join(map(_read, run.reads))}")
    else:
        reason = "none: no harmless port is among the wrong ones; the TSS alone is judged"
        yield from labelled("IN", reason)


def _read(read: PortRead) -> str:
    name = {1: "inb", 2: "inw", 4: "inl"}[read.width]
    result = f"= {read.value:#0{2 * read.width + 2}x}" if read.passed else "ended in SIGSEGV"
    return f"{name}({read.port:#x}) {result}"


def _controls(found: Reproduction) -> Iterator[Line]:
    violation = found.verdict.violation
    crash = violation is not None and violation.kind == "crash"
    for run in found.controls:
        told = _control(run, crash=crash)
        yield from labelled(f"control, {_CONTROLS[run.position]}", told)
    repaired = found.repaired
    if repaired is not None:
        told, kernel = _control(repaired.run, crash=crash), repaired.kernel
        about = f"{told}; {kernel.built_from or kernel.image}"
        yield from labelled("control, with the repair", about)
    if found.runs and not found.controls and repaired is None:
        why = "not asked for, or no task is preempted"
        if not found.successes:
            why = "no run showed the fault"
        yield from labelled("controls", f"none: {why}")


def _control(run: BootedRun, *, crash: bool) -> str:
    if not run.forced:
        return f"not forced: {run.unforced}"
    if run.crash:
        return f"SHOWED THE FAULT: {run.crash}"
    if crash:
        return "clean: the kernel told of no crash"
    if run.observations:
        tss = run.observations[-1].tss
        state = f"base {tss.base:#x}, {tss.selected}; "
    else:
        state = ""
    passed = sum(read.passed for read in run.reads)
    ins = f"{passed} of {words.count(len(run.reads), 'IN')} passed" if run.reads else "no INs"
    return f"{'clean' if run.clean else 'SHOWED THE FAULT'}: {state}{ins}"


def _kernel(kernel: BootedKernel) -> Iterator[Line]:
    yield from labelled("image", kernel.image)
    if kernel.built_from:
        yield from labelled("built from", kernel.built_from)
    yield from labelled("kernel", kernel.version)
    yield from labelled("command line", kernel.command_line)
    yield from labelled("preemption", kernel.preemption or "as built: no other can be chosen")
    yield from labelled("forced by", "breakpoints and delay; no register or memory was written")
    yield from labelled("emulator", f"{kernel.emulator}; {CAVEAT}")
