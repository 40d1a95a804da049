"""Runs a program on a machine, with a limit of time; the entry point of the layer."""

from __future__ import annotations

import enum
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from iopermit.machine.errors import MachineError
from iopermit.machine.kernel import Kernel, Options
from iopermit.machine.scheduler import Scheduler, TimeoutExpiredError
from iopermit.system.crash import HeapExhaustedError, KernelCrash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.machine.bus import Bus
    from iopermit.machine.clock import Clock

_NUDGE: Final = 0.05
"""Seconds between attempts to stop the CPU after the time is over."""
_SIGNALLED: Final = 128


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
    watchdog = _Watchdog(scheduler, timeout) if timeout is not None else None
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
        if watchdog is not None:
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
    """Stops a run when its time is over, whatever the program does."""

    def __init__(self, scheduler: Scheduler, seconds: float) -> None:
        self._scheduler, self._seconds = scheduler, seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        if self._over.wait(self._seconds):
            return
        self._scheduler.expired = True
        while not self._over.wait(_NUDGE):
            self._scheduler.kernel.backend.stop()
