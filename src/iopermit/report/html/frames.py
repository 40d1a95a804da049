"""Turns the states of a schedule into what a drawing of them shows, column by column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iopermit.arch import format_ranges
from iopermit.engine.trace import SelectedMap
from iopermit.report.grants import mask
from iopermit.report.html.columns import by_column
from iopermit.report.html.following import IDLE, USER_MODE, followed
from iopermit.report.html.model import NOBODY, CpuState, Frame, MapBits, Wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.trace import TraceStep, TssState, Violation
    from iopermit.report.html.following import Followed
    from iopermit.report.html.model import PortColumn


def frames_of(
    trace: Sequence[TraceStep],
    violation: Violation | None,
    columns: Sequence[PortColumn],
    inside: frozenset[str],
) -> list[Frame]:
    """Return the state after each step of a schedule; the last one is that of a violation, if any.

    Args:
        trace: the schedule.
        violation: what it shows.
        columns: the columns of ports.
        inside: the tasks that are in the kernel after the last step.
    """
    cpus = sorted({step.cpu for step in trace})
    frames = [
        Frame(tuple(_cpu(cpu, step.tss[cpu], state, columns) for cpu in cpus))
        for step, _, state in followed(trace, inside)
    ]
    if frames and violation is not None and violation.kind in ("leak", "loss"):
        shown = (_violated(cpu, violation, columns) for cpu in frames[-1].cpus)
        frames[-1] = Frame(tuple(shown))
    return frames


@dataclass(frozen=True)
class _Ports:
    """Port masks that matter to the task of a CPU."""

    clear: int
    granted: int
    asked: int
    """What a call is about to grant it."""

    @property
    def stale(self) -> int:
        """Ports whose bits are clear and that the task was not granted.

        Before a call ends, what it was asked to open is open already; as long as there is more,
        it is what was there before.
        """
        others = self.clear & ~self.granted
        return others if others & ~self.asked else 0


def _cpu(cpu: int, tss: TssState, state: Followed, columns: Sequence[PortColumn]) -> CpuState:
    task, mode = state.on_cpu[cpu], state.mode(cpu)
    ports = _Ports(mask(tss.clear), state.grants.of(task), state.asked(task))
    allows = _allows(tss, by_column(columns, ports.clear))
    granted = by_column(columns, ports.granted)
    asked = by_column(columns, ports.asked)
    wrong = (Wrong.NO,) * len(columns)
    if task != IDLE and mode != USER_MODE:
        # A level of 3 in EFLAGS opens every port, whatever the TSS says.
        by_level = bool(state.grants.iopl.get(task))
        wrong = tuple(
            _soon(allowed=may, due=due, asked=more, by_level=by_level)
            for may, due, more in zip(allows, granted, asked, strict=True)
        )
    bits = tuple(_bits(column, ports, task, state) for column in columns)
    limit = ", limit 0x67" if tss.limit_low else ""
    summary = (
        f"CPU {cpu}, task {task}, {mode}. I/O map base: {tss.io_map_base}{limit}. "
        f"Clear bits in the TSS: {format_ranges(tss.clear)}. "
        f"{task} was granted: {_ranges(columns, granted)}."
    )
    return CpuState(
        cpu, task, mode, tss.io_map_base, tss.limit_low, bits, allows, granted, wrong, summary
    )


def _soon(*, allowed: bool | None, due: bool, asked: bool, by_level: bool) -> Wrong:
    """Return whether it would be wrong if a task went on in user mode."""
    leaks = allowed is True and not due and not asked
    loses = allowed is False and due and not by_level
    return Wrong.SOON if leaks or loses else Wrong.NO


def _allows(tss: TssState, clear: tuple[bool, ...]) -> tuple[bool | None, ...]:
    """Return what the map that the base selects allows."""
    if tss.io_map_base in (SelectedMap.LAZY, SelectedMap.OTHER):
        return (None,) * len(clear)
    if tss.io_map_base is SelectedMap.PAST_LIMIT or tss.limit_low:
        return (False,) * len(clear)
    return clear if tss.io_map_base is SelectedMap.VALID else (True,) * len(clear)


def _bits(column: PortColumn, ports: _Ports, task: str, state: Followed) -> MapBits:
    port = 1 << column.first
    if not ports.clear & port:
        return MapBits(clear=False)
    if not ports.stale & port:
        return MapBits(clear=True, owner=task)
    owner = state.owner(mask(((column.first, column.last),)), task)
    return MapBits(clear=True, owner=owner or NOBODY, stale=True)


def _violated(state: CpuState, violation: Violation, columns: Sequence[PortColumn]) -> CpuState:
    """Return the state of a CPU as the specification found it at full size."""
    if state.cpu != violation.cpu:
        return state
    concerned = by_column(columns, mask(violation.ports))
    verb = "refuses" if violation.kind == "loss" else "allows"
    return replace(
        state,
        allows=by_column(columns, mask(violation.allowed)),
        granted=by_column(columns, mask(violation.granted)),
        wrong=tuple(Wrong.NOW if one else Wrong.NO for one in concerned),
        summary=f"{state.summary} Wrong: the CPU {verb} {format_ranges(violation.ports)}.",
    )


def _ranges(columns: Sequence[PortColumn], chosen: Sequence[bool]) -> str:
    """Return the ports of some columns as text."""
    merged: list[tuple[int, int]] = []
    for column, one in zip(columns, chosen, strict=True):
        if one and merged and merged[-1][1] + 1 == column.first:
            merged[-1] = (merged[-1][0], column.last)
        elif one:
            merged.append((column.first, column.last))
    return format_ranges(merged)
