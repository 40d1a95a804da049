"""The emulator's process: bring the machine up, give every right up, load the program, run it."""

from __future__ import annotations

import enum
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TextIO

from iopermit.cache.key import KEY_VARIABLE
from iopermit.machine.cpu.interface import RIP, RSP
from iopermit.machine.errors import KernelError, MachineError
from iopermit.machine.files.host_files import HostStream
from iopermit.machine.files.open_files import FileTable
from iopermit.machine.isolation import sandbox
from iopermit.machine.isolation.sandbox import Protection
from iopermit.machine.memory.areas import HostPages
from iopermit.machine.memory.physical import OutOfMemoryError
from iopermit.machine.program import elf
from iopermit.machine.syscalls.dispatch import Dispatcher
from iopermit.machine.tasks import own_trees
from iopermit.machine.tasks.loading import Executable, Request, load_program
from iopermit.machine.tasks.machine import Machine, Options
from iopermit.machine.tasks.process import SignalHandlers, UserProcess, UserTask
from iopermit.machine.tasks.scheduler import Scheduler, TimeoutExpiredError
from iopermit.machine.watchdog import Watchdog
from iopermit.system.crash import HeapExhaustedError, KernelCrash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.machine.clock import Clock
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.devices.bus import Bus
    from iopermit.machine.file_status import FileStatus
    from iopermit.machine.isolation.broker import HostFiles

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
        protection: what kept the program from the host.
    """

    end: End
    status: int = 0
    message: str = ""
    accesses: int = 0
    leaks: int = 0
    calls: int = 0
    switches: int = 0
    nanoseconds: int = 0
    protection: Protection = field(default_factory=Protection)

    def as_message(self) -> dict[str, Any]:
        """Return it in a form that JSON can have."""
        return asdict(self) | {"end": self.end.value}

    @staticmethod
    def from_message(message: dict[str, Any]) -> Result:
        """Return what `as_message` made. Raises ValueError and the like if it is malformed."""
        told = message["protection"]
        protection = Protection(
            bool(told["broker"]),
            int(told["landlock"]),
            bool(told["seccomp"]),
            bool(told["no_new_privileges"]),
            bool(told["unprivileged"]),
            bool(told["limits"]),
        )
        names = ("accesses", "leaks", "calls", "switches", "nanoseconds")
        numbers = {name: int(message[name]) for name in names}
        status, text = int(message["status"]), str(message["message"])
        if not 0 <= status <= 255:
            raise ValueError(f"an exit status of {status}")
        printable = "".join(c if c.isprintable() else "?" for c in text)
        return Result(End(message["end"]), status, printable, **numbers, protection=protection)


@dataclass(frozen=True)
class Command:
    """What to run: a path, arguments with the program's name first, and the environment."""

    path: str
    arguments: Sequence[str]
    environment: Sequence[bytes] | None = None


@dataclass(frozen=True)
class Outputs:
    """Where everything goes; all of it is open before the emulator gives its rights up.

    Attributes:
        make_bus: connects the port devices.
        flush: writes what is buffered for files, at the end.
        descriptors: those of the files that are written.
        streams: which of standard input, output and error were open when iopermit began.
        strace: where to print system calls and port accesses; None: nowhere.
        messages: where to say what is not served; standard error if None.
    """

    make_bus: Callable[[Clock], Bus]
    flush: Callable[[], None] = lambda: None
    descriptors: Sequence[int] = ()
    streams: tuple[bool, bool, bool] = (True, True, True)
    strace: TextIO | None = None
    messages: TextIO | None = None


@dataclass(frozen=True)
class First:
    """The first program: its file, which is open, and where it is started.

    Attributes:
        path: canonical.
        name: the last component of what the user called it.
        descriptor: to read the file from.
        status: of the file.
        cwd: the working directory.
        credentials: who starts it.
    """

    path: str
    name: str
    descriptor: int
    status: FileStatus
    cwd: str
    credentials: Credentials


def emulate(
    host: HostFiles, first: First, command: Command, options: Options, outputs: Outputs
) -> Result:
    """Run a program to its end. There is no way back from here to any right on the host.

    Raises:
        ExecError: the program cannot be loaded.
        MachineError: the CPU back end cannot be used.
        KernelCrash: the design crashes when it brings up a CPU.
    """
    machine = Machine(
        options, outputs.make_bus, host, strace=outputs.strace, messages=outputs.messages
    )
    try:
        own_trees.set_up(machine)
        files, watchdog = _standard_streams(machine, outputs), Watchdog()
        protection = _give_up_rights(options, outputs)
        program = _load(machine, first, command)
        _start(machine, program, first, files)
        result = _loop(machine, watchdog, protection)
        if options.export:
            for message in own_trees.kept(machine):
                host.keep(message)
        return result
    finally:
        machine.backend.close()


def _give_up_rights(options: Options, outputs: Outputs) -> Protection:
    """Enter the sandbox, as far as the host has it and the user wants it. Raises MachineError."""
    if options.sandbox == "off":
        return Protection()
    protection = sandbox.enter(kvm=options.cpu == "kvm")
    missing = protection.missing()
    if missing and options.sandbox == "on":
        raise MachineError(f"--sandbox on: this host has no {', no '.join(missing)}")
    if outputs.strace is not None:
        outputs.strace.write(f"iopermit: the program is kept from the host by {protection}\n")
        outputs.strace.flush()
    return protection


def _load(machine: Machine, first: First, command: Command) -> elf.Program:
    """Return the program in fresh memory. Raises ExecError."""
    environment = command.environment
    if environment is None:
        hidden = os.fsencode(KEY_VARIABLE)
        variables = os.environb.items()
        environment = [key + b"=" + value for key, value in variables if key != hidden]
    arguments = [os.fsencode(argument) for argument in command.arguments]
    request = Request(first, first.cwd, command.path, arguments, environment)
    try:
        executable = Executable(first.path, HostPages(first.descriptor, first.status))
        return load_program(machine, executable, request)
    except KernelError as error:
        message = f"cannot execute {command.path}: {os.strerror(error.errno)}"
        raise elf.ExecError(error.errno, message) from error


def _start(machine: Machine, program: elf.Program, first: First, files: FileTable) -> None:
    """Make the first process, whose task is about to execute its first instruction."""
    pid = machine.new_pid()
    process = UserProcess(
        pid, None, program.space, files, SignalHandlers(),
        first.cwd, program.path, program.bits, group=pid, session=pid,
        name=first.name, arguments_at=program.arguments_at,
        environment_at=program.environment_at,
    )  # fmt: skip
    context = machine.backend.new_context(program.bits)
    context.registers[RIP], context.registers[RSP] = program.start, program.stack
    task = UserTask(pid, 0, process, context, first.credentials)
    task.affinity = frozenset(range(machine.options.cpus))
    process.tasks.append(task)
    machine.tasks[pid], machine.processes[pid], machine.init = task, process, process
    machine.system.threads[0].record.privileged = first.credentials.raw_io


def _standard_streams(machine: Machine, outputs: Outputs) -> FileTable:
    """Return a table with the streams that are open, each with its own number."""
    files = FileTable(machine.memory)
    for number, is_open in enumerate(outputs.streams):
        if is_open:
            stream = HostStream.of(number, (0, 1, 1)[number])
            if stream.is_terminal():
                stream.flags = 2
            files.add(stream, at=number)
    return files


def _loop(machine: Machine, watchdog: Watchdog, protection: Protection) -> Result:
    """Let the tasks run until the first process ends, or something else ends the run."""
    scheduler = Scheduler(machine, Dispatcher(machine).serve)
    timeout = machine.options.timeout
    watchdog.start(scheduler, timeout)
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
    except OutOfMemoryError:
        end, message = End.STUCK, "out of memory; a larger --memory makes more room"
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
        protection,
    )
