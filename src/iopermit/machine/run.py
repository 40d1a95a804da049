"""Runs a program on a machine: load, memory, tasks, loop; the entry point of the layer."""

from __future__ import annotations

import enum
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from iopermit.machine.cpu.interface import RIP, RSP
from iopermit.machine.credentials import Credentials
from iopermit.machine.errors import MachineError
from iopermit.machine.files.open_files import FileTable, HostStream
from iopermit.machine.program import elf
from iopermit.machine.syscalls.dispatch import Dispatcher
from iopermit.machine.tasks.machine import Machine, Options
from iopermit.machine.tasks.process import SignalHandlers, UserProcess, UserTask
from iopermit.machine.tasks.scheduler import Scheduler, TimeoutExpiredError
from iopermit.machine.watchdog import Watchdog
from iopermit.system.crash import HeapExhaustedError, KernelCrash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.machine.clock import Clock
    from iopermit.machine.devices.bus import Bus

_SIGNALLED: Final = 128
_ORDINARY_UID: Final = 1000


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
        ExecError: the program cannot be loaded.
        MachineError: the CPU back end cannot be used.
    """
    machine = Machine(options, make_bus, strace=strace, messages=messages)
    try:
        credentials = Credentials.of_user(_ORDINARY_UID) if options.user else Credentials()
        image = elf.read_image(command.path)
        program = _load(machine, image, command, credentials)
        _start(machine, program, credentials)
        return _loop(machine, timeout)
    finally:
        machine.backend.close()


def _load(
    machine: Machine, image: elf.ElfImage, command: Command, credentials: Credentials
) -> elf.Program:
    """Return the program in fresh memory. Raises ExecError."""
    environment = command.environment
    if environment is None:
        environment = [key + b"=" + value for key, value in os.environb.items()]
    arguments = [os.fsencode(argument) for argument in command.arguments]
    space = machine.new_space(image.bits)
    return elf.load(image, space, arguments, environment, credentials, machine.entropy)


def _start(machine: Machine, program: elf.Program, credentials: Credentials) -> None:
    """Make the first process, whose task is about to execute its first instruction."""
    files = FileTable()
    for number, stream in enumerate((sys.__stdin__, sys.__stdout__, sys.__stderr__)):
        if stream is not None:
            files.add(HostStream(path=f"/dev/fd/{number}", descriptor=number))
    pid = machine.new_pid()
    process = UserProcess(
        pid, None, program.space, files, SignalHandlers(), _working_directory(), program.path,
        program.bits, group=pid, session=pid, name=os.path.basename(program.path),
    )  # fmt: skip
    context = machine.backend.new_context(program.bits)
    context.registers[RIP], context.registers[RSP] = program.start, program.stack
    task = UserTask(pid, 0, process, context, credentials)
    task.affinity = frozenset(range(machine.options.cpus))
    process.tasks.append(task)
    machine.tasks[pid], machine.processes[pid], machine.init = task, process, process
    machine.system.threads[0].record.privileged = credentials.raw_io


def _loop(machine: Machine, timeout: float | None) -> Result:
    """Let the tasks run until the first process ends, or something else ends the run."""
    scheduler = Scheduler(machine, Dispatcher(machine).serve)
    watchdog = Watchdog(scheduler, timeout)
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
        message = f"BUG: kernel crash in {machine.options.design.id}: {crash}"
    finally:
        watchdog.stop()
    return Result(
        end,
        status,
        message,
        machine.ports.accesses,
        machine.ports.leaks,
        machine.calls,
        scheduler.switches,
        machine.clock.monotonic,
    )


def _working_directory() -> str:
    """Return the host's working directory, or the root if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return "/"
