"""Tells which condition a violation breaks, for whom, and which steps led to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.arch import format_ranges
from iopermit.engine.trace import SelectedMap
from iopermit.report import text as report
from iopermit.report.grants import mask, ranges, request_of
from iopermit.report.html.model import Cause, Fact, Why
from iopermit.report.operations import operations
from iopermit.report.words import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iopermit.engine.trace import TraceStep, TssState, Violation
    from iopermit.report.operations import TracedOperation

CONDITIONS: Final = {
    "leak": "In user mode a CPU may allow a task only the ports that the task was granted.",
    "loss": "In user mode a CPU must allow a task every port that the task was granted.",
    "crash": "Kernel code must not crash.",
    "rule": "Kernel code must keep the rules that its callers rely on.",
    "garbage": "Memory that is in use must be reachable, so that it can be freed some time.",
}
"""What the specification demands, by the kind of violation."""


def why(trace: Sequence[TraceStep], violation: Violation, row_of: Mapping[int, int]) -> Why:
    """Return why a schedule ends in a violation.

    Args:
        trace: the schedule.
        violation: what it shows.
        row_of: the step, as people tell it, that each atomic step belongs to.
    """
    causes = _Causes(violation)
    for step, operation in operations(trace):
        causes.add(step, operation)
    return Why(
        CONDITIONS[violation.kind],
        tuple(text.replace("  ", " ") for text in report.wrong(violation)),
        tuple(_facts(trace, violation)),
        tuple(_cause(step, text, row_of) for step, text in causes.ordered()),
    )


def _facts(trace: Sequence[TraceStep], violation: Violation) -> Iterator[Fact]:
    if violation.task:
        yield Fact("Task", violation.task)
        yield Fact("CPU", str(violation.cpu))
    if violation.kind == "garbage":
        yield Fact("What is lost", violation.message)
    if violation.kind not in ("leak", "loss"):
        return
    yield Fact("Wrong ports", format_ranges(violation.ports))
    yield Fact("The CPU allows", format_ranges(violation.allowed))
    when = ", before this call without CAP_SYS_RAWIO" if violation.without_privilege else ""
    yield Fact(f"{violation.task} was granted{when}", format_ranges(violation.granted))
    if violation.owner:
        yield Fact("Granted these ports", f"only task {violation.owner}")
    if trace and _not_by_the_map(trace[-1].tss[violation.cpu], violation):
        yield Fact("Allowed by", "the I/O privilege level of the task, not by the TSS")
    if violation.repeats_every is not None:
        yield Fact("How long", "for ever: the #GP handler says again each time")


def _not_by_the_map(tss: TssState, violation: Violation) -> bool:
    """Return whether a leak cannot come from the map that the base selects."""
    if violation.kind != "leak" or tss.io_map_base in (SelectedMap.ALL_PORTS, SelectedMap.OTHER):
        return False
    selected = tss.io_map_base is SelectedMap.VALID and not tss.limit_low
    return bool(mask(violation.ports) & ~(mask(tss.clear) if selected else 0))


def _cause(step: TraceStep, effect: str, row_of: Mapping[int, int]) -> Cause:
    site = step.source
    source, statement = ("", "") if site is None else (place(site), site.text.strip())
    row = row_of[step.number]
    return Cause(row, step.number, step.cpu, step.who, effect, source, statement)


@dataclass
class _Causes:
    """For each kind of cause the last step of its kind."""

    violation: Violation
    last: dict[str, tuple[TraceStep, str]] = field(default_factory=dict)
    before: dict[int, TssState] = field(default_factory=dict)
    """The TSS of each CPU before the next step."""

    def ordered(self) -> list[tuple[TraceStep, str]]:
        """Return the causes in the order of the schedule; what one step did is one cause."""
        texts: dict[int, tuple[TraceStep, list[str]]] = {}
        for step, text in self.last.values():
            texts.setdefault(step.number, (step, []))[1].append(text)
        return [(step, "; ".join(parts)) for _, (step, parts) in sorted(texts.items())]

    def add(self, step: TraceStep, operation: TracedOperation) -> None:
        """Look at the next step."""
        violation = self.violation
        if violation.kind in ("leak", "loss"):
            self._request(step, operation)
            self._switch(step)
            self._writes(step)
        elif violation.task and step.is_event and step.task == violation.task:
            self.last["call"] = (step, f"starts {operation.text}")
        if violation.site is not None and step.source == violation.site:
            self.last["site"] = (step, "the statement that let it happen")

    def _request(self, step: TraceStep, operation: TracedOperation) -> None:
        violation, request = self.violation, request_of(operation)
        concerned = {violation.task, violation.owner}
        if request is None or step is not operation.first or step.task not in concerned:
            return
        some = request.ports & mask(violation.ports)
        if not some and step.task != violation.task:
            return
        verb = "asks for" if request.turn_on else "gives back"
        what = f"{operation.text}: {step.task} {verb} ports {format_ranges(ranges(request.ports))}"
        self.last[f"request {step.task}"] = (step, what)

    def _switch(self, step: TraceStep) -> None:
        if step.is_event and step.following == self.violation.task:
            text = f"CPU {step.cpu} begins to switch from {step.task} to {step.following}"
            self.last["switch"] = (step, text)

    def _writes(self, step: TraceStep) -> None:
        cpu, ports = self.violation.cpu, mask(self.violation.ports)
        after = step.tss[cpu]
        before = self.before.get(cpu, step.before if step.cpu == cpu else after)
        self.before[cpu] = after
        part = step.handled
        if part is not None and part.copied_to_tss and step.cpu == cpu:
            copied = f"the copy into the TSS reaches byte {part.last} of {part.size}"
            self.last["copy"] = (step, copied)
        changed = (mask(before.clear) ^ mask(after.clear)) & ports
        if changed:
            verb = "clear" if mask(after.clear) & changed else "set"
            text = f"the bits of ports {format_ranges(ranges(changed))} in the TSS become {verb}"
            self.last["bits"] = (step, text)
        if before.io_map_base is not after.io_map_base:
            text = f"the I/O map base changes: {before.io_map_base} becomes {after.io_map_base}"
            self.last["base"] = (step, text)
        if before.limit_low != after.limit_low:
            text = "the cached TSS limit falls to 0x67" if after.limit_low else "TR is reloaded"
            self.last["limit"] = (step, text)
