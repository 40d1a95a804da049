"""Time: clocks, sleeping and alarms, all in virtual time."""

from __future__ import annotations

import errno
import struct
from typing import Final

from iopermit.machine.clock import EPOCH, SECOND
from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.syscalls.registry import SystemCall, call

_REALTIME_CLOCKS: Final = (0, 5, 8, 11)
_CLOCKS: Final = range(12)
_MICROSECOND: Final = 1_000
TIMER_ABSTIME: Final = 1
ITIMER_REAL: Final = 0


def read_time(call: SystemCall, address: int, *, wide: bool = False, unit: int = 1) -> int:
    """Return a struct timespec (or timeval with unit 1000) in nanoseconds. Raises KernelError."""
    form = "<qq" if wide or call.word == 8 else "<ii"
    seconds, rest = struct.unpack(form, call.space.read(address, struct.calcsize(form)))
    if seconds < 0 or not 0 <= rest * unit < SECOND:
        raise KernelError(errno.EINVAL)
    return int(seconds) * SECOND + int(rest) * unit


def write_time(
    call: SystemCall, address: int, moment: int, *, wide: bool = False, unit: int = 1
) -> None:
    """Write nanoseconds as struct timespec (or timeval with unit 1000)."""
    form = "<qq" if wide or call.word == 8 else "<ii"
    seconds, rest = divmod(moment, SECOND)
    call.space.write(address, struct.pack(form, seconds, rest // unit))


def _now(call: SystemCall, clock: int) -> int:
    number = call.signed(clock, 32)
    if number < 0 or number in (2, 3):
        return call.machine.clock.monotonic
    if number not in _CLOCKS:
        raise KernelError(errno.EINVAL)
    return (
        call.machine.clock.realtime if number in _REALTIME_CLOCKS else call.machine.clock.monotonic
    )


@call("clock_gettime", 228, 265, "clock time_at", "virtual time")
def clock_gettime(call: SystemCall, clock: int, address: int) -> int:
    """Tell the time."""
    write_time(call, address, _now(call, clock))
    return 0


@call("clock_gettime64", None, 403, "clock time_at", "virtual time")
def clock_gettime64(call: SystemCall, clock: int, address: int) -> int:
    """Tell the time."""
    write_time(call, address, _now(call, clock), wide=True)
    return 0


@call("clock_getres", 229, 266, "clock time_at")
def clock_getres(call: SystemCall, clock: int, address: int) -> int:
    """Tell the resolution of a clock: a nanosecond."""
    _now(call, clock)
    if address:
        write_time(call, address, 1)
    return 0


@call("gettimeofday", 96, 78, "time_at zone", "virtual time")
def gettimeofday(call: SystemCall, address: int, zone: int) -> int:
    """Tell the time."""
    if address:
        write_time(call, address, call.machine.clock.realtime, unit=_MICROSECOND)
    if zone:
        call.space.write(zone, bytes(8))
    return 0


@call("time", 201, 13, "time_at", "virtual time")
def time_(call: SystemCall, address: int) -> int:
    """Tell the time in seconds."""
    seconds = call.machine.clock.realtime // SECOND
    if address:
        call.write_int(address, seconds, call.word)
    return seconds


@call("times", 100, 43, "times_at")
def times(call: SystemCall, address: int) -> int:
    """Tell the time in ticks of 10 ms."""
    ticks = call.machine.clock.monotonic // 10_000_000
    if address:
        for i in range(4):
            call.write_int(address + i * call.word, ticks if i == 0 else 0, call.word)
    return ticks


def _sleep(call: SystemCall, deadline: int, remaining: int, *, wide: bool = False) -> int:
    """Wait until a moment of the monotonic clock."""
    if call.task.wait_data is None:
        call.task.wait_data = deadline
    until: int = call.task.wait_data
    now = call.machine.clock.monotonic
    if now >= until:
        return 0
    if remaining:
        write_time(call, remaining, until - now, wide=wide)
    raise Blocked(lambda: False, deadline=until, on_signal=-errno.EINTR)


@call("nanosleep", 35, 162, "time remaining", "virtual time: takes no real time")
def nanosleep(call: SystemCall, time: int, remaining: int) -> int:
    """Sleep."""
    return _sleep(call, call.machine.clock.monotonic + read_time(call, time), remaining)


@call("clock_nanosleep", 230, 267, "clock flags time remaining", "virtual time")
def clock_nanosleep(call: SystemCall, clock: int, flags: int, time: int, remaining: int) -> int:
    """Sleep, for a time or until a moment."""
    return _clock_nanosleep(call, (clock, flags), read_time(call, time), remaining, wide=False)


@call("clock_nanosleep_time64", None, 407, "clock flags time remaining", "virtual time")
def clock_nanosleep64(call: SystemCall, clock: int, flags: int, time: int, remaining: int) -> int:
    """Sleep, for a time or until a moment."""
    amount = read_time(call, time, wide=True)
    return _clock_nanosleep(call, (clock, flags), amount, remaining, wide=True)


def _clock_nanosleep(
    call: SystemCall, how: tuple[int, int], amount: int, remaining: int, *, wide: bool
) -> int:
    clock, flags = how
    if flags & TIMER_ABSTIME:
        deadline = amount - EPOCH if clock in _REALTIME_CLOCKS else amount
        return _sleep(call, deadline, 0)
    return _sleep(call, call.machine.clock.monotonic + amount, remaining, wide=wide)


@call("alarm", 37, 27, "seconds")
def alarm(call: SystemCall, seconds: int) -> int:
    """Send SIGALRM later."""
    process, now = call.process, call.machine.clock.monotonic
    left = 0 if process.alarm is None else -(-(process.alarm - now) // SECOND)
    process.alarm = now + seconds * SECOND if seconds else None
    process.alarm_interval = 0
    return left


@call("setitimer", 38, 104, "which new old", "ITIMER_REAL only")
def setitimer(call: SystemCall, which: int, new: int, old: int) -> int:
    """Set the alarm timer."""
    if which != ITIMER_REAL:
        return -errno.EINVAL
    process, now = call.process, call.machine.clock.monotonic
    left = 0 if process.alarm is None else max(process.alarm - now, _MICROSECOND)
    if old:
        write_time(call, old, process.alarm_interval, unit=_MICROSECOND)
        write_time(call, old + 2 * call.word, left, unit=_MICROSECOND)
    if new:
        process.alarm_interval = read_time(call, new, unit=_MICROSECOND)
        value = read_time(call, new + 2 * call.word, unit=_MICROSECOND)
        process.alarm = now + value if value else None
    return 0


@call("getitimer", 36, 105, "which current", "ITIMER_REAL only")
def getitimer(call: SystemCall, which: int, current: int) -> int:
    """Tell the alarm timer."""
    return setitimer(call, which, 0, current)
