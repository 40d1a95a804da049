"""The port devices of the machine: a small PC, enough for programs that use I/O ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.machine.devices.cmos import RealTimeClock
from iopermit.machine.devices.debug_console import DebugConsole
from iopermit.machine.devices.pci import PciConfiguration
from iopermit.machine.devices.pit import IntervalTimer
from iopermit.machine.devices.post import PostCode
from iopermit.machine.devices.topology import Q35
from iopermit.machine.devices.uart import Uart

if TYPE_CHECKING:
    from iopermit.machine.devices.bus import PortDevice
    from iopermit.machine.devices.clock import Now
    from iopermit.machine.devices.output import ByteSink


def standard(serial: ByteSink | None, now: Now) -> list[PortDevice]:
    """Return the devices that a machine has if nothing else is asked.

    Args:
        serial: receives what is sent by the serial port and the debug console.
        now: the time in seconds since 1970-01-01 00:00 UTC.
    """
    return [
        PostCode(),
        RealTimeClock(now),
        IntervalTimer(now),
        Uart(serial),
        DebugConsole(serial),
        PciConfiguration(Q35),
    ]
