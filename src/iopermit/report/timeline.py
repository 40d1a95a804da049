"""Compresses a schedule of atomic steps into the few lines that tell its story."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.arch import format_ranges
from iopermit.engine.violation import task_name
from iopermit.report.grants import EVERY_PORT, Grants, call_of, mask, ranges
from iopermit.report.operations import Operation, operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import TraceStep, TssState

_INTO_TSS: Final = "tss.bitmap.copy_from("
_COPIED: Final = re.compile(r"bytes \d+-(\d+) of (\d+)")
_MOST_RANGES: Final = 6
"""More ranges than these are not shown in the table; ``--steps`` and the JSON have them all."""


@dataclass
class Row:
    """One line of the timeline: consecutive steps of one operation on one CPU."""

    cpu: int
    operation: Operation
    steps: list[TraceStep] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    returns: bool = False
    revealed: bool = False
    """Whether the base or the limit changed while others' ports were in the map."""
    after_return: bool = False
    """Whether the call had returned before the line starts."""
    preempted: bool = False
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
        tss = self.steps[-1].tss[self.cpu]
        return f"{tss.io_map_base}, limit 0x67" if tss.limit_low else tss.io_map_base

    @property
    def what(self) -> str:
        """What happens."""
        operation, starts = self.operation, self.steps[0] is self.operation.steps[0]
        name = operation.text if starts and not operation.is_switch else operation.name
        if self.after_return:
            name = "return to user mode"
        parts = list(dict.fromkeys(self.effects))
        if self.returns and not operation.is_switch:
            if operation.error:
                parts = [f"fails with {operation.error}"]
            elif starts and call_of(operation):
                parts = [_granted(operation)]
            elif operation.event in {"fork", "io-thread"}:
                parts.append(f"the child is {task_name(operation.arguments['child'])}")
            elif not starts:
                parts.append("returns")
        if self.preempted:
            parts.append(f"preempted{self._after()}")
        return f"{name}: {', '.join(parts)}" if parts else name

    def _after(self) -> str:
        """Return behind which statement of the design the line ends."""
        sites = [step.source for step in self.steps if step.source is not None]
        return f" after {sites[-1].short}" if sites else ""


def _granted(operation: Operation) -> str:
    call = call_of(operation)
    assert call is not None  # what the caller asked
    if call.ports == EVERY_PORT:
        what = "every port"
    else:
        noun = "port" if call.ports.bit_count() == 1 else "ports"
        what = f"{noun} {format_ranges(ranges(call.ports))}"
    return (
        f"grants {operation.task} {what}" if call.turn_on else f"takes {what} from {operation.task}"
    )


def timeline(trace: Sequence[TraceStep]) -> list[Row]:
    """Return the lines for a schedule."""
    builder = _Builder()
    for step, operation in operations(trace):
        builder.add(step, operation)
    return builder.rows


class _Builder:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.grants = Grants()
        self.before: dict[int, TssState] = {}
        self.was_valid: set[int] = set()

    def add(self, step: TraceStep, operation: Operation) -> None:
        """Add a step to the last line, or to a new one."""
        effects = list(self._effects(step))
        row = self.rows[-1] if self.rows else None
        same = row is not None and row.operation is operation and row.cpu == step.cpu
        if row is None or not same or (row.revealed and effects):
            row = self._new_row(step, operation)
        row.steps.append(step)
        for effect in effects:
            if row.effects and effect.startswith("copies") and row.effects[-1].startswith("copies"):
                row.effects.pop()
            row.effects.append(effect)
        if operation.ended_by(step):
            row.returns = True
            self.grants.finish(operation)
        after = step.tss[step.cpu]
        before = self.before.get(step.cpu, after)
        moved = (before.io_map_base, before.limit_low) != (after.io_map_base, after.limit_low)
        stale, row.clear = self._clear_bits(after, operation, pending=not row.returns)
        row.revealed = row.revealed or (moved and stale)
        self.before[step.cpu] = after

    def _new_row(self, step: TraceStep, operation: Operation) -> Row:
        earlier = next((r for r in reversed(self.rows) if r.cpu == step.cpu), None)
        if operation.is_switch and step.event == "switch" and earlier is not None:
            ended = any(earlier.operation.ended_by(s) for s in earlier.operation.steps)
            earlier.preempted = not earlier.operation.is_switch and not ended
        row = Row(step.cpu, operation)
        row.after_return = any(operation.ended_by(s) for s in operation.steps[:-1])
        self.rows.append(row)
        return row

    def _effects(self, step: TraceStep) -> Iterator[str]:
        after = step.tss[step.cpu]
        before = self.before.get(step.cpu, after)
        if step.cpu not in self.before and after.io_map_base == "valid":
            self.was_valid.add(step.cpu)
        if before.io_map_base != after.io_map_base:
            yield self._base_effect(step.cpu, before.io_map_base, after.io_map_base)
        if before.limit_low != after.limit_low:
            yield "the cached limit falls to 0x67" if after.limit_low else "reloads TR"
        copied = _COPIED.search(step.text)
        if copied and step.source and _INTO_TSS in step.source.text:
            count, size = int(copied[1]) + 1, int(copied[2])
            yield f"copies {count} of {size} bytes" if count < size else f"copies all {size} bytes"
        elif before.clear != after.clear:
            yield "writes the map"

    def _base_effect(self, cpu: int, before: str, base: str) -> str:
        if base == "all ports":
            return "base selects the all-ports map"
        if base == "lazy":
            return "base marks a lazy load"
        if base != "valid":
            stays = before == "lazy"
            return "base stays past the TSS limit" if stays else "base moves past the TSS limit"
        again = cpu in self.was_valid
        self.was_valid.add(cpu)
        return "base is valid again" if again else "base becomes valid"

    def _clear_bits(
        self, tss: TssState, operation: Operation, *, pending: bool
    ) -> tuple[bool, str]:
        """Return whether there are others' ports in the map, and the text about its clear bits."""
        task = operation.following if operation.is_switch else operation.task
        clear, call = mask(tss.clear), call_of(operation)
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
