"""Runs a program on a machine, with a limit of time; the entry point of the layer."""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from iopermit.machine.errors import MachineError
from iopermit.machine.kernel import Kernel, Options
from iopermit.machine.tasks.scheduler import Scheduler, TimeoutExpiredError
from iopermit.system.crash import HeapExhaustedError, KernelCrash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.machine.clock import Clock
    from iopermit.machine.devices.bus import Bus

_NUDGE: Final = 0.05
"""Seconds between attempts to stop the CPU after the time is over."""
_SIGNALLED: Final = 128
_OVER: Final = 0
"""What ends the watch; no signal has this number."""


class End(enum.Enum):
    """How a run ended."""

    EXITED = "exited"
    KILLED = "killed"
    CRASHED = "kernel crashed"
    TIMEOUT = "timeout"
    STUCK = "stuck"


@dataclass(frozen=True)
class Result:
    """What became of a run.

    Attributes:
        end: how it ended.
        status: what a shell would call the program's exit status; 0 if it has none.
        message: what is to be said about an end other than the program's.
        accesses: port accesses that the processor allowed.
        leaks: how many of them the specification did not grant.
        calls: system calls.
        switches: context switches.
        nanoseconds: virtual time that passed.
    """

    end: End
    status: int
    message: str
    accesses: int
    leaks: int
    calls: int
    switches: int
    nanoseconds: int


@dataclass(frozen=True)
class Command:
    """What to run: a path, arguments with the program's name first, and the environment."""

    path: str
    arguments: Sequence[str]
    environment: Sequence[bytes] | None = None


def run_program(
    command: Command,
    options: Options,
    make_bus: Callable[[Clock], Bus],
    *,
    timeout: float | None = None,
    strace: TextIO | None = None,
    messages: TextIO | None = None,
) -> Result:
    """Run a program to its end.

    Args:
        command: the program.
        options: the machine.
        make_bus: connects the port devices.
        timeout: seconds after which the run is given up.
        strace: where to print system calls and port accesses.
        messages: where to say what is not served; standard error if None.

    Raises:
        LoadError: the program cannot be loaded.
        MachineError: the CPU back end cannot be used.
    """
    kernel = Kernel(options, make_bus, strace=strace, messages=messages)
    try:
        environment = command.environment
        if environment is None:
            environment = [key + b"=" + value for key, value in os.environb.items()]
        arguments = [os.fsencode(argument) for argument in command.arguments]
        kernel.start(command.path, arguments, environment)
        return _run(kernel, timeout)
    finally:
        kernel.backend.close()


def _run(kernel: Kernel, timeout: float | None) -> Result:
    scheduler = Scheduler(kernel)
    watchdog = _Watchdog(scheduler, timeout)
    end, status, message = End.EXITED, 0, ""
    try:
        code = scheduler.run()
        if code & 0x7F:
            end, status = End.KILLED, _SIGNALLED + (code & 0x7F)
        else:
            status = code >> 8 & 0xFF
    except TimeoutExpiredError:
        end, message = End.TIMEOUT, f"the program did not end within {timeout:g} s"
    except MachineError as error:
        end, message = End.STUCK, str(error)
    except HeapExhaustedError as error:
        end, message = End.STUCK, f"{error}; a larger --max-tasks makes more room"
    except KernelCrash as crash:
        end = End.CRASHED
        message = f"BUG: kernel crash in {kernel.options.design.id}: {crash}"
    finally:
        watchdog.stop()
    return Result(
        end,
        status,
        message,
        kernel.accesses,
        kernel.leaks,
        kernel.calls,
        scheduler.switches,
        kernel.clock.monotonic,
    )


class _Watchdog:
    """Stops a run when its time is over or the user interrupts it, whatever the program does.

    Python handles a signal only between its own instructions, and the CPU back end is one call.
    So a thread waits for the number of the signal, which Python writes to a pipe at once.
    """

    def __init__(self, scheduler: Scheduler, seconds: float | None) -> None:
        self._scheduler = scheduler
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._previous: int | None = None
        with contextlib.suppress(ValueError):
            # Outside the main thread there are no signals to wait for.
            self._previous = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        if self._previous is not None:
            signal.set_wakeup_fd(self._previous)
        os.write(self._writer, bytes([_OVER]))
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _watch(self) -> None:
        stopping = False
        while True:
            heard = self._wait(_NUDGE if stopping else None)
            if _OVER in heard:
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._scheduler.expired = stopping = True
            if signal.SIGINT in heard:
                self._scheduler.interrupted = stopping = True
            if stopping:
                # Again and again: between two runs of the CPU it has no effect.
                self._scheduler.kernel.backend.stop()

    def _wait(self, most: float | None) -> bytes:
        """Wait for a byte in the pipe, at most until the time is over; return what came."""
        limits = [most] if most is not None else []
        if self._deadline is not None and most is None:
            limits.append(max(self._deadline - time.monotonic(), 0))
        ready, _, _ = select.select([self._reader], [], [], min(limits, default=None))
        return os.read(self._reader, 4096) if ready else b""
