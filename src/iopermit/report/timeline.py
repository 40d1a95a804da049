"""Compresses a schedule of atomic steps into the few lines that tell its story."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.arch import format_ranges
from iopermit.engine.trace import SelectedMap
from iopermit.engine.violation import task_name
from iopermit.report.grants import EVERY_PORT, GrantHistory, mask, ranges, request_of
from iopermit.report.operations import TracedOperation, operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import TraceStep, TssState

_MOST_RANGES: Final = 6
"""More ranges than these are not shown in the table; ``--steps`` and the JSON have them all."""


@dataclass(frozen=True)
class RowEffect:
    """What a step did to the TSS, in words."""

    text: str
    is_copy: bool = False
    """Whether it went on copying a map: what it adds up to replaces what was told before."""


@dataclass
class TimelineRow:
    """One line of the timeline: consecutive steps of one operation on one CPU."""

    cpu: int
    operation: TracedOperation
    steps: list[TraceStep] = field(default_factory=list)
    effects: list[RowEffect] = field(default_factory=list)
    returns: bool = False
    revealed: bool = False
    """Whether the base or the limit changed while others' ports were in the map."""
    after_return: bool = False
    """Whether the call had returned before the line starts."""
    preempted: bool = False
    sleeps: bool = False
    """Whether it is preempted by going to sleep."""
    clear: str = ""

    @property
    def who(self) -> str:
        """Who runs."""
        operation = self.operation
        if operation.is_switch:
            return f"{operation.task} to {operation.following}"
        return operation.task

    @property
    def base(self) -> str:
        """The I/O map base in the CPU's TSS at the end."""
        tss = self.steps[-1].after
        return f"{tss.io_map_base}, limit 0x67" if tss.limit_low else tss.io_map_base

    @property
    def what(self) -> str:
        """What happens."""
        operation, starts = self.operation, self.steps[0] is self.operation.steps[0]
        name = operation.text if starts and not operation.is_switch else operation.name
        if self.after_return:
            name = "return to user mode"
        parts = list(dict.fromkeys(effect.text for effect in self.effects))
        if self.returns and not operation.is_switch:
            if operation.error:
                parts = [f"fails with {operation.error}"]
            elif starts and request_of(operation):
                parts = [_granted(operation)]
            elif operation.child is not None:
                parts.append(f"the child is {task_name(operation.child)}")
            elif not starts:
                parts.append("returns")
        if self.preempted:
            parts.append(f"{'sleeps' if self.sleeps else 'preempted'}{self._after()}")
        return f"{name}: {', '.join(parts)}" if parts else name

    def _after(self) -> str:
        """Return behind which statement of the design the line ends."""
        sites = [step.source for step in self.steps if step.source is not None]
        return f" after {sites[-1].short}" if sites else ""


def _granted(operation: TracedOperation) -> str:
    call = request_of(operation)
    assert call is not None  # what the caller asked
    if call.ports == EVERY_PORT:
        what = "every port"
    else:
        noun = "port" if call.ports.bit_count() == 1 else "ports"
        what = f"{noun} {format_ranges(ranges(call.ports))}"
    return (
        f"grants {operation.task} {what}" if call.turn_on else f"takes {what} from {operation.task}"
    )


def timeline(trace: Sequence[TraceStep]) -> list[TimelineRow]:
    """Return the lines for a schedule."""
    builder = _TimelineBuilder()
    for step, operation in operations(trace):
        builder.add(step, operation)
    return builder.rows


class _TimelineBuilder:
    def __init__(self) -> None:
        self.rows: list[TimelineRow] = []
        self.grants = GrantHistory()
        self.shown: set[int] = set()
        """CPUs of which there was a step."""
        self.was_valid: set[int] = set()

    def add(self, step: TraceStep, operation: TracedOperation) -> None:
        """Add a step to the last line, or to a new one."""
        effects = list(self._effects(step))
        row = self.rows[-1] if self.rows else None
        same = row is not None and row.operation is operation and row.cpu == step.cpu
        if row is None or not same or (row.revealed and effects):
            row = self._new_row(step, operation)
        row.steps.append(step)
        for effect in effects:
            if row.effects and effect.is_copy and row.effects[-1].is_copy:
                row.effects.pop()
            row.effects.append(effect)
        if operation.ended_by(step):
            row.returns = True
            self.grants.finish(operation)
        before, after = step.before if step.cpu in self.shown else step.after, step.after
        moved = (before.io_map_base, before.limit_low) != (after.io_map_base, after.limit_low)
        stale, row.clear = self._clear_bits(after, operation, pending=not row.returns)
        row.revealed = row.revealed or (moved and stale)
        self.shown.add(step.cpu)

    def _new_row(self, step: TraceStep, operation: TracedOperation) -> TimelineRow:
        earlier = next((r for r in reversed(self.rows) if r.cpu == step.cpu), None)
        if step.preempts and earlier is not None:
            ended = any(earlier.operation.ended_by(s) for s in earlier.operation.steps)
            earlier.preempted = not earlier.operation.is_switch and not ended
            earlier.sleeps = step.sleeps
        row = TimelineRow(step.cpu, operation)
        row.after_return = any(operation.ended_by(s) for s in operation.steps[:-1])
        self.rows.append(row)
        return row

    def _effects(self, step: TraceStep) -> Iterator[RowEffect]:
        # The line of a CPU's first step shows its TSS; only what changes then is told in words.
        shown = step.cpu in self.shown
        before, after = step.before if shown else step.after, step.after
        part = step.handled
        if before.io_map_base is SelectedMap.VALID:
            self.was_valid.add(step.cpu)
        if before.io_map_base is not after.io_map_base:
            yield RowEffect(self._base_effect(step.cpu, before.io_map_base, after.io_map_base))
        if before.limit_low != after.limit_low:
            yield RowEffect("the cached limit falls to 0x67" if after.limit_low else "reloads TR")
        if part is not None and part.copied_to_tss:
            count, size = part.last + 1, part.size
            bytes_of_it = f"{count} of {size}" if count < size else f"all {size}"
            yield RowEffect(f"copies {bytes_of_it} bytes", is_copy=True)
        elif before.clear != after.clear:
            yield RowEffect("writes the map")

    def _base_effect(self, cpu: int, before: SelectedMap, base: SelectedMap) -> str:
        if base is SelectedMap.ALL_PORTS:
            return "base selects the all-ports map"
        if base is SelectedMap.LAZY:
            return "base marks a lazy load"
        if base is not SelectedMap.VALID:
            stays = before is SelectedMap.LAZY
            return "base stays past the TSS limit" if stays else "base moves past the TSS limit"
        again = cpu in self.was_valid
        self.was_valid.add(cpu)
        return "base is valid again" if again else "base becomes valid"

    def _clear_bits(
        self, tss: TssState, operation: TracedOperation, *, pending: bool
    ) -> tuple[bool, str]:
        """Return whether there are others' ports in the map, and the text about its clear bits."""
        task = operation.following if operation.is_switch else operation.task
        clear, call = mask(tss.clear), request_of(operation)
        stale = clear & ~self.grants.of(task)
        if pending and call is not None and call.turn_on and not stale & ~call.ports:
            # Its own, about to be granted.
            stale = 0
        parts = [_ranges(clear & ~stale)] if clear & ~stale else []
        if stale:
            owners = " and ".join(f"{owner}'s" for owner in self.grants.owners(stale, task))
            parts.append(f"{_ranges(stale)} ({owners + ', ' if owners else ''}stale)")
        return bool(stale), ", ".join(parts) or "none"


def _ranges(ports: int) -> str:
    pairs = ranges(ports)
    more = len(pairs) - _MOST_RANGES
    text = format_ranges(pairs[:_MOST_RANGES])
    return f"{text} and {more} more" if more > 0 else text
