"""ioperm(2) and iopl(2), which the design serves."""

from __future__ import annotations

from iopermit.machine.syscalls.registry import Call, call
from iopermit.system.bitmap import PortRange


@call("ioperm", 173, 101, "from count turn_on", "served by the design")
def ioperm(call: Call, first: int, count: int, turn_on: int) -> int:
    """Let the design grant or revoke ports."""
    enabled = bool(turn_on & 0xFFFF_FFFF)
    return call.kernel.ioperm(call.task, PortRange(first, count), turn_on=enabled)


@call("iopl", 172, 110, "level", "served by the design")
def iopl(call: Call, level: int) -> int:
    """Let the design change the I/O privilege level."""
    return call.kernel.runner.iopl(call.task.slot, level & 0xFFFF_FFFF)
