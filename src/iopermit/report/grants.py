"""Follows what each task of a schedule was granted, and whose the ports in a TSS are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.arch import MAX_PRIVILEGE_LEVEL
from iopermit.engine.violation import task_name
from iopermit.system.events.operations import Effect

if TYPE_CHECKING:
    from iopermit.engine.trace import Ranges
    from iopermit.report.operations import TracedOperation
    from iopermit.system.bitmap import PortRange

PORTS: Final = 65536
EVERY_PORT: Final = (1 << PORTS) - 1


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
class PortRequest:
    """What an ioperm or iopl call asks for: some ports, on or off."""

    ports: int
    turn_on: bool
    is_iopl: bool = False


def request_of(operation: TracedOperation) -> PortRequest | None:
    """Return what an operation asks for, if it is such a call."""
    values = operation.first.values
    if operation.can(Effect.GRANT_PORTS):
        asked: PortRange = values["ports"]
        return PortRequest(((1 << asked.count) - 1) << asked.first, values["turn_on"])
    if operation.can(Effect.GRANT_LEVEL):
        return PortRequest(EVERY_PORT, values["level"] == MAX_PRIVILEGE_LEVEL, is_iopl=True)
    return None


@dataclass
class GrantHistory:
    """What each task was granted so far."""

    ports: dict[str, int] = field(default_factory=dict)
    iopl: dict[str, bool] = field(default_factory=dict)

    def of(self, task: str) -> int:
        """Return the ports that a task was granted."""
        return EVERY_PORT if self.iopl.get(task) else self.ports.get(task, 0)

    def finish(self, operation: TracedOperation) -> None:
        """Take note of an operation that has ended."""
        task, request = operation.task, request_of(operation)
        if operation.error:
            return
        if request is not None and request.is_iopl:
            self.iopl[task] = request.turn_on
        elif request is not None:
            others = self.ports.get(task, 0) & ~request.ports
            self.ports[task] = others | (request.ports if request.turn_on else 0)
        elif operation.child is not None:
            child = task_name(operation.child)
            self.ports[child] = self.ports.get(task, 0)
            self.iopl[child] = self.iopl.get(task, False)
        elif operation.can(Effect.REVOKE_ALL):
            self.ports[task], self.iopl[task] = 0, False

    def owners(self, ports: int, but: str) -> list[str]:
        """Return the tasks, other than one, that were granted all of the ports."""
        tasks = sorted(self.ports.keys() | self.iopl.keys())
        return [task for task in tasks if task != but and not ports & ~self.of(task)]
