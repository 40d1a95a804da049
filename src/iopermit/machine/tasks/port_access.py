"""Port accesses of tasks: what the processor allows, what devices answer, what was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit import arch
from iopermit.machine.clock import KERNEL_ENTRY
from iopermit.system.bitmap import PORTS

if TYPE_CHECKING:
    from iopermit.machine.clock import Clock
    from iopermit.machine.devices.bus import Bus
    from iopermit.machine.tasks.process import UserTask
    from iopermit.machine.tasks.strace import Strace
    from iopermit.system.simulation import System


class PortAccess:
    """The way from IN and OUT to the devices.

    Attributes:
        bus: the devices.
        accesses: port accesses that the processor allowed.
        leaks: how many of them the specification did not grant.
    """

    def __init__(self, system: System, bus: Bus, clock: Clock, strace: Strace) -> None:
        """Connect the tasks of `system` to the devices of `bus`."""
        self._system, self.bus, self._clock, self._strace = system, bus, clock, strace
        self.accesses = 0
        self.leaks = 0

    def permitted_on(self, cpu: int, port: int, width: int) -> bool:
        """Return whether the processor lets the current task of a CPU use a port."""
        processor = self._system.processors[cpu]
        thread = self._system.current(processor)
        return arch.permitted(
            port,
            width,
            cpl=arch.MAX_PRIVILEGE_LEVEL,
            iopl=self._system.design.iopl_in_force(processor.record, thread.record),
            vm86=False,
            protected=True,
            tss=processor.tss_view(self._system.design),
        )

    def read(self, task: UserTask, port: int, width: int) -> int:
        """Do a read of a port that the processor allowed."""
        self._count(task, port, width)
        value = self.bus.read(port, width)
        self._strace.port_in(task, port, width, value)
        self._log("in", task, port, width, value)
        return value

    def write(self, task: UserTask, port: int, width: int, value: int) -> None:
        """Do a write to a port that the processor allowed."""
        self._count(task, port, width)
        self._strace.port_out(task, port, width, value)
        self._log("out", task, port, width, value)
        self.bus.write(port, width, value)

    def read_past_bitmap(self, task: UserTask, port: int) -> int:
        """Read a port for /dev/port, which asks neither the processor nor the specification."""
        value = self.bus.read(port, 1)
        self._log("in", task, port, 1, value, via="/dev/port")
        return value

    def write_past_bitmap(self, task: UserTask, port: int, value: int) -> None:
        """Write to a port for /dev/port."""
        self._log("out", task, port, 1, value, via="/dev/port")
        self.bus.write(port, 1, value)

    def _count(self, task: UserTask, port: int, width: int) -> None:
        self.accesses += 1
        self._clock.advance(KERNEL_ENTRY)
        grants = self._system.threads[task.slot].grants
        if grants.iopl == arch.MAX_PRIVILEGE_LEVEL:
            return
        if port + width > PORTS or not grants.ports[port : port + width].all():
            self.leaks += 1

    def _log(
        self, direction: str, task: UserTask, port: int, width: int, value: int, **more: str
    ) -> None:
        self.bus.log(
            {
                "time": self._clock.monotonic,
                "pid": task.process.pid,
                "tid": task.tid,
                "cpu": task.last_cpu,
                "direction": direction,
                "port": port,
                "width": width,
                "value": value,
                **more,
            }
        )
