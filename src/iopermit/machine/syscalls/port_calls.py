"""ioperm(2) and iopl(2), which the design serves."""

from __future__ import annotations

from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.system.bitmap import PortRange


@call("ioperm", 173, 101, "from count turn_on", "served by the design")
def ioperm(call: SystemCall, first: int, count: int, turn_on: int) -> int:
    """Let the design grant or revoke ports."""
    enabled = bool(turn_on & 0xFFFF_FFFF)
    return call.machine.runner.ioperm(call.task.slot, PortRange(first, count), enabled)


@call("iopl", 172, 110, "level", "served by the design")
def iopl(call: SystemCall, level: int) -> int:
    """Let the design change the I/O privilege level."""
    return call.machine.runner.iopl(call.task.slot, level & 0xFFFF_FFFF)
