"""Makes of one violation and its schedule what a page shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.arch import format_ranges
from iopermit.report import words
from iopermit.report.html.columns import port_columns
from iopermit.report.html.following import IDLE, tasks_in_kernel
from iopermit.report.html.frames import frames_of
from iopermit.report.html.model import AtomicStep, DrawnSchedule, LaneCell, ToldStep, Wrong
from iopermit.report.html.source import source_blocks
from iopermit.report.html.why import why
from iopermit.report.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.trace import TraceStep, TssState, Violation
    from iopermit.engine.verdict import Verdict
    from iopermit.report.html.model import Frame
    from iopermit.report.html.source import SourceBlocks, SourceText
    from iopermit.report.operations import TracedOperation
    from iopermit.report.timeline import TimelineRow
    from iopermit.system.site import Site


def schedule_of(
    number: int, verdict: Verdict, violation: Violation, text: SourceText
) -> DrawnSchedule | None:
    """Return what a page shows of a violation; nothing if there are no steps.

    Args:
        number: its number on the page, from 1.
        verdict: the verdict with the schedule.
        violation: the violation.
        text: reads source files.
    """
    trace = verdict.trace or ()
    if not trace:
        return None
    inside = tasks_in_kernel(trace, violation)
    return told(number, words.headline(verdict), trace, violation, inside, text)


def told(
    number: int,
    headline: str,
    trace: Sequence[TraceStep],
    violation: Violation | None,
    inside: frozenset[str],
    text: SourceText,
) -> DrawnSchedule:
    """Return what a page shows of some steps.

    Args:
        number: the number of the schedule on the page, from 1.
        headline: what it shows.
        trace: its steps, at least one.
        violation: what it ends in, if in a violation.
        inside: the tasks that are in the kernel after the last step.
        text: reads source files.
    """
    rows = timeline(trace)
    row_of = {step.number: n for n, row in enumerate(rows, 1) for step in row.steps}
    columns = port_columns(trace, violation)
    every = frames_of(trace, violation, columns, inside)
    frames = tuple(dict.fromkeys(every))
    frame_of = {s.number: frames.index(f) for s, f in zip(trace, every, strict=True)}
    sites = (step.source for step in trace if step.source is not None)
    source = source_blocks(sites, None if violation is None else violation.site, text)
    cpus = tuple(state.cpu for state in every[0].cpus)
    steps = _Steps(violation, rows, every, frame_of, source).steps(cpus)
    tasks = dict.fromkeys(cell.task for step in steps for cell in step.lanes)
    return DrawnSchedule(
        number,
        headline,
        cpus,
        tuple(sorted(task for task in tasks if task != IDLE)),
        columns,
        steps,
        _atomic(trace, row_of, frame_of, source),
        frames,
        source.blocks,
        None if violation is None else why(trace, violation, row_of),
    )


def _atomic(
    trace: Sequence[TraceStep],
    row_of: dict[int, int],
    frame_of: dict[int, int],
    source: SourceBlocks,
) -> tuple[AtomicStep, ...]:
    before: dict[int, TssState] = {}
    steps = []
    for step in trace:
        change = ""
        if before.get(step.cpu, step.before) != step.after:
            change = tss_text(step.after)
        before[step.cpu] = step.after
        steps.append(
            AtomicStep(
                step.number,
                step.cpu,
                step.who,
                words.place(step.source) if step.source else "",
                words.step_text(step),
                change,
                row_of[step.number],
                frame_of[step.number],
                source.line_of(step.source),
            )
        )
    return tuple(steps)


def tss_text(tss: TssState) -> str:
    """Return what is in a TSS, in words."""
    limit = ", limit 0x67" if tss.limit_low else ""
    return f"I/O map base {tss.io_map_base}{limit}, clear bits {format_ranges(tss.clear)}"


class _Steps:
    """The steps as people tell them."""

    def __init__(
        self,
        violation: Violation | None,
        rows: Sequence[TimelineRow],
        every: Sequence[Frame],
        frame_of: dict[int, int],
        source: SourceBlocks,
    ) -> None:
        self.violation, self.rows, self.source = violation, rows, source
        self.frame_of = frame_of
        self.states = {row.steps[-1].number: self._state(row, every) for row in rows}
        self.wrong_since = self._wrong_since()

    def _state(self, row: TimelineRow, every: Sequence[Frame]) -> Frame:
        first = self.rows[0].steps[0].number
        return every[row.steps[-1].number - first]

    def steps(self, cpus: Sequence[int]) -> tuple[ToldStep, ...]:
        """Return them in their order."""
        return tuple(self._step(number, row, cpus) for number, row in enumerate(self.rows, 1))

    def _step(self, number: int, row: TimelineRow, cpus: Sequence[int]) -> ToldStep:
        key = _key_step(row, self.violation.site if self.violation else None)
        site = key.source if key else None
        return ToldStep(
            number,
            row.cpu,
            row.who,
            row.what,
            row.base,
            row.clear,
            tuple(self._lane(row, cpu) for cpu in cpus),
            self._wrong_text() if number == self.wrong_since else "",
            self.frame_of[row.steps[-1].number],
            row.steps[0].number,
            row.steps[-1].number,
            self.source.line_of(site),
            words.place(site) if site else "",
            site.text.strip() if site else "",
        )

    def _lane(self, row: TimelineRow, cpu: int) -> LaneCell:
        state = next(one for one in self._frame(row).cpus if one.cpu == cpu)
        if cpu != row.cpu:
            return LaneCell(state.task)
        operation = row.operation
        if operation.is_switch:
            return LaneCell(
                state.task, operation.task, f"{operation.task} to {state.task}", acts=True
            )
        is_known = operation.first.is_event and not row.after_return
        name = _short(operation) if is_known else "to user mode"
        return LaneCell(state.task, "", name, acts=True)

    def _frame(self, row: TimelineRow) -> Frame:
        return self.states[row.steps[-1].number]

    def _wrong_since(self) -> int:
        """Return the step from which on ports are wrong up to the end; 0 if none are."""
        since = 0
        if self.violation is None:
            return since
        for number in range(len(self.rows), 0, -1):
            states = self._frame(self.rows[number - 1]).cpus
            state = next((s for s in states if s.cpu == self.violation.cpu), None)
            is_task = state is not None and state.task == self.violation.task
            if state is None or not is_task or set(state.wrong) == {Wrong.NO}:
                break
            since = number
        return since

    def _wrong_text(self) -> str:
        """Return what becomes wrong in the step from which on something is."""
        violation = self.violation
        assert violation is not None  # something is wrong
        if self.wrong_since == len(self.rows):
            verb, ports = "allows", format_ranges(violation.ports)
            if violation.kind == "loss":
                verb = "refuses"
            return f"Wrong from here: the CPU {verb} {violation.task} ports {ports}"
        return (
            f"From here on the TSS of CPU {violation.cpu} is not what {violation.task} was "
            "granted: wrong as soon as it goes on in user mode"
        )


def _short(operation: TracedOperation) -> str:
    """Return a name of an operation that fits into a lane: ``ioperm()``, or ``VM exit``."""
    head, colon, _ = operation.text.partition(":")
    return head if colon else operation.name


def _key_step(row: TimelineRow, blamed: Site | None) -> TraceStep | None:
    """Return the step whose line to look at.

    The last that changes the TSS, or else the one that let the violation happen, or has a line.
    """
    with_line = [step for step in row.steps if step.source is not None]
    culprits = [step for step in with_line if step.source == blamed]
    changing = [step for step in with_line if step.before != step.after]
    return next(reversed(changing or culprits or with_line), None)
