"""What was seen on a booted kernel, in words: the outcome, the steps, runs and controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.report import words
from iopermit.report.reproduction.facts import PreemptionPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.report.reproduction.facts import (
        BootedKernel,
        BootedRun,
        FreeRun,
        Observation,
        PortRead,
        Reproduction,
    )

Told = tuple[str, str]
"""A label, and the text under it."""
PORTS: Final = ((0x80, 1), (0x71, 1), (0xCF8, 4))
"""Ports of which the table tells whether they are open, with the width of the access."""
SEEN: Final = "seen on the booted kernel"
"""The head of the column with what was seen behind each step."""
_CONTROLS: Final = {
    PreemptionPoint.BEFORE: "preempted one instruction before",
    PreemptionPoint.AFTER: "preempted behind the window",
    PreemptionPoint.NOWHERE: "not preempted",
}
CAVEAT: Final = "TCG shows that it can happen, not how often"
_TIMING: Final = "its timing (TCG) is not that of a processor"


def headline(found: Reproduction) -> str:
    """Return the outcome in one sentence."""
    violation = found.verdict.violation
    assert violation is not None  # only these are reproduced
    what = f"{words.KINDS[violation.kind]} of {words.subject(found.verdict)}"
    if found.free is not None:
        return f"{_left_alone(found.free)}: {what}: {violation.message}"
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


def outcome(found: Reproduction) -> str:
    """Return the outcome in one sentence that leaves the fault to the one before it."""
    if found.free is not None:
        return _left_alone(found.free)
    match found.outcome:
        case "reproduced":
            return "REPRODUCED on a booted kernel"
        case "not reproduced":
            return (
                "NOT REPRODUCED: every step was forced on a booted kernel, and the fault did not "
                "show"
            )
        case _:
            return f"UNDETERMINED on a booted kernel: {found.reason}"


def _left_alone(free: FreeRun) -> str:
    if free.hits:
        return "SEEN on a booted kernel, where nothing was forced"
    return "NOT SEEN on a booted kernel, where nothing was forced"


def seen_behind(found: Reproduction) -> dict[int, str]:
    """Return for each step, by its number, what was seen behind it."""
    return {each.step: _seen(each) for each in _shown(found)}


def facts_of(found: Reproduction) -> Iterator[Told]:
    """Yield how it was forced, and what runs and controls showed, on which kernel."""
    if found.free is not None:
        yield ("left alone", _figures(found.free))
    else:
        yield from _forcing(found)
        yield from _runs(found)
        yield from _controls(found)
    if found.kernel is not None:
        yield from _kernel(found.kernel, is_free=found.free is not None)


def _shown(found: Reproduction) -> tuple[Observation, ...]:
    """Return what was seen in the first run that showed the fault, or else in the last."""
    best = next((run for run in found.runs if run.shown), found.runs[-1] if found.runs else None)
    return () if best is None else best.observations


def _seen(seen: Observation) -> str:
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


def _forcing(found: Reproduction) -> Iterator[Told]:
    ways: dict[str, list[str]] = {}
    for number, way in enumerate(found.forced_by, 1):
        ways.setdefault(way, []).append(str(number))
    for way, steps in ways.items():
        label = "step" if len(steps) == 1 else "steps"
        yield (f"{label} {', '.join(steps)}", way)


def _runs(found: Reproduction) -> Iterator[Told]:
    if not found.runs:
        yield ("runs", "none: no kernel was booted")
        return
    seconds = sum(run.seconds for run in found.runs) / len(found.runs)
    text = f"{found.successes} of {len(found.runs)} showed the fault; {seconds:.1f} s each"
    unforced = sum(not run.forced for run in found.runs)
    if unforced:
        text += f"; in {unforced} the schedule was not forced"
    yield ("runs", text)
    run = next((run for run in found.runs if run.forced), None)
    if run is None:
        return
    if run.forbidden:
        text = (
            f"at {run.forbidden}, where the counterexample has the task preempted, preemption is "
            "off; it was preempted at the first place behind it"
        )
        yield ("not there", text)
    violation = found.verdict.violation
    assert violation is not None  # only these are reproduced
    if violation.kind == "crash":
        crash = next((run.crash for run in found.runs if run.crash), "")
        yield ("console", crash or "the kernel told of no crash")
        return
    who = f"task {violation.task}" + (f" ({found.credentials})" if found.credentials else "")
    if run.reads:
        yield ("IN", f"by {who}: {', '.join(map(_read, run.reads))}")
    else:
        reason = "none: no harmless port is among the wrong ones; the TSS alone is judged"
        yield ("IN", reason)


def _read(read: PortRead) -> str:
    name = {1: "inb", 2: "inw", 4: "inl"}[read.width]
    result = f"= {read.value:#0{2 * read.width + 2}x}" if read.passed else "ended in SIGSEGV"
    return f"{name}({read.port:#x}) {result}"


def _controls(found: Reproduction) -> Iterator[Told]:
    violation = found.verdict.violation
    crash = violation is not None and violation.kind == "crash"
    for run in found.controls:
        told = _control(run, crash=crash)
        yield (f"control, {_CONTROLS[run.position]}", told)
    repaired = found.repaired
    if repaired is not None:
        told, kernel = _control(repaired.run, crash=crash), repaired.kernel
        about = f"{told}; {kernel.built_from or kernel.image}"
        yield ("control, with the repair", about)
    if found.runs and not found.controls and repaired is None:
        why = "not asked for, or no task is preempted"
        if not found.successes:
            why = "no run showed the fault"
        yield ("controls", f"none: {why}")


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


def _figures(free: FreeRun) -> str:
    return (
        f"{words.count(free.hits, 'hit')} in {words.count(free.attempts, 'attempt')}, "
        f"{free.per_million:,.0f} in a million; {free.seconds:.1f} s"
    )


def _kernel(kernel: BootedKernel, *, is_free: bool) -> Iterator[Told]:
    yield ("image", kernel.image)
    if kernel.built_from:
        yield ("built from", kernel.built_from)
    yield ("kernel", kernel.version)
    yield ("command line", kernel.command_line)
    yield ("preemption", kernel.preemption or "as built: no other can be chosen")
    if is_free:
        yield ("forced by", "nothing: no debugger was attached")
        yield ("emulator", f"{kernel.emulator}; {_TIMING}")
        return
    yield ("forced by", "breakpoints and delay; no register or memory was written")
    yield ("emulator", f"{kernel.emulator}; {CAVEAT}")
