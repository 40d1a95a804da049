"""Follows what each task of a schedule was granted, and whose the ports in a TSS are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.engine.violation import task_name

if TYPE_CHECKING:
    from iopermit.engine.trace import Ranges
    from iopermit.report.operations import Operation

PORTS: Final = 65536
EVERY_PORT: Final = (1 << PORTS) - 1

_IOPERM: Final = re.compile(r"ioperm\((\d+), (\d+), ([01])\)")
_IOPL: Final = re.compile(r"iopl\(([0-3])\)")
_ALL_LEVELS: Final = "3"


def mask(ranges: Ranges) -> int:
    """Return ports as a number with one bit for each."""
    return sum(((1 << (last - first + 1)) - 1) << first for first, last in ranges)


def ranges(ports: int) -> Ranges:
    """Return the ports of a mask as ranges."""
    result = []
    while ports:
        first = (ports & -ports).bit_length() - 1
        above = ports >> first
        length = (~above & (above + 1)).bit_length() - 1
        result.append((first, first + length - 1))
        ports = above >> length << (first + length)
    return tuple(result)


@dataclass(frozen=True)
class Call:
    """What an ioperm or iopl call asks for: some ports, on or off."""

    ports: int
    turn_on: bool
    is_iopl: bool = False


def call_of(operation: Operation) -> Call | None:
    """Return what an operation asks for, if it is such a call."""
    if found := _IOPERM.match(operation.text):
        first, number, turn_on = (int(group) for group in found.groups())
        return Call(((1 << number) - 1) << first, bool(turn_on))
    if found := _IOPL.match(operation.text):
        return Call(EVERY_PORT, found[1] == _ALL_LEVELS, is_iopl=True)
    return None


@dataclass
class Grants:
    """What each task was granted so far."""

    ports: dict[str, int] = field(default_factory=dict)
    iopl: dict[str, bool] = field(default_factory=dict)

    def of(self, task: str) -> int:
        """Return the ports that a task was granted."""
        return EVERY_PORT if self.iopl.get(task) else self.ports.get(task, 0)

    def finish(self, operation: Operation) -> None:
        """Take note of an operation that has ended."""
        task, event = operation.task, operation.event
        if operation.error:
            return
        call = call_of(operation)
        if call is not None and call.is_iopl:
            self.iopl[task] = call.turn_on
        elif call is not None:
            others = self.ports.get(task, 0) & ~call.ports
            self.ports[task] = others | (call.ports if call.turn_on else 0)
        elif event in {"fork", "io-thread"}:
            child = task_name(operation.arguments["child"])
            self.ports[child] = self.ports.get(task, 0)
            self.iopl[child] = self.iopl.get(task, False)
        elif event == "exit":
            self.ports[task], self.iopl[task] = 0, False

    def owners(self, ports: int, but: str) -> list[str]:
        """Return the tasks, other than one, that were granted all of the ports."""
        tasks = sorted(self.ports.keys() | self.iopl.keys())
        return [task for task in tasks if task != but and not ports & ~self.of(task)]
