"""`iopermit run`: a real program on a design."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO, cast

import typer

from iopermit.cli import scenario
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode, ProgramStatus
from iopermit.cli.output import OutputError, check_writable, complain, write_file
from iopermit.cli.parser.completion import designs_like
from iopermit.cli.process.extras import require
from iopermit.cli.process.streams import Diagnostics, reserve_standard_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.machine.clock import Clock
    from iopermit.machine.devices.bus import Bus
    from iopermit.machine.emulator import Result

SCHEMA = "iopermit/run/1"
_BACKENDS = ("unicorn", "kvm")
_SANDBOX = ("auto", "on", "off")


def run(  # noqa: PLR0913 - one argument for each option
    program: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM",
            help="A path, or a name to look for in PATH.",
            show_default=False,
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS", help="What the program gets.", show_default=False),
    ] = None,
    *,
    design: Annotated[
        str,
        typer.Option(
            metavar="DESIGN",
            help="An id, FILE.py, or FILE.py:CLASS.",
            autocompletion=designs_like,
        ),
    ] = "linux-6.16",
    option: scenario.Option = None,
    cpu: Annotated[
        str, typer.Option(metavar="unicorn|kvm", help="What executes the program.")
    ] = "unicorn",
    cpus: Annotated[int, typer.Option(metavar="N", help="Virtual CPUs.", min=1, max=32)] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Chooses the schedule of the tasks.")] = 0,
    user: Annotated[
        bool, typer.Option("--user", help="Run as user 1000 without CAP_SYS_RAWIO.")
    ] = False,
    strace: Annotated[
        bool, typer.Option("--strace", help="Print system calls and port accesses on stderr.")
    ] = False,
    io_log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every port access as JSON lines.")
    ] = None,
    serial: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the serial port sends; standard output if none."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Give up after this time.", min=0.01, callback=scenario.seconds
        ),
    ] = None,
    max_tasks: Annotated[
        int, typer.Option(metavar="N", help="Tasks alive at once.", min=1, max=1024)
    ] = 64,
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="Physical memory, as 64M or 1G.")
    ] = "1G",
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="The directory that programs see as /.")
    ] = Path("/"),
    as_root_files: Annotated[
        bool,
        typer.Option("--as-root-files", help="Show files too that only root or their owner reads."),
    ] = False,
    sandbox: Annotated[
        str,
        typer.Option(metavar="auto|on|off", help="Landlock, seccomp and so on."),
    ] = "auto",
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep what is left in /tmp and /dev/shm there."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write a summary as JSON.")
    ] = None,
) -> ExitCode | ProgramStatus:
    """Run a real x86-64 or i386 Linux program whose kernel is a design.

    IN and OUT are allowed or refused by the TSS that the design maintains. The exit status is
    the program's (128 + N if signal N killed it); 2 if it cannot be run, 3 after --timeout or
    when every task waits for ever, 1 if the design crashes.
    """
    if cpu not in _BACKENDS:
        raise BadInputError(f"there is no CPU back end {cpu!r}; choose {' or '.join(_BACKENDS)}")
    if sandbox not in _SANDBOX:
        raise BadInputError(f"--sandbox {sandbox}: choose from {', '.join(_SANDBOX)}")
    require("run")
    if not os.path.isdir(root):  # noqa: PTH112 - false for names that are too long, too
        raise BadInputError(f"--root {root}: there is no such directory")
    streams = reserve_standard_streams()
    for file in (io_log, serial, json_file):
        if file is not None:
            check_writable(file)

    from iopermit.engine.executable import executable_design, executing
    from iopermit.machine.emulator import Command, Outputs
    from iopermit.machine.errors import MachineError
    from iopermit.machine.program.elf import ExecError  # takes its time
    from iopermit.machine.run import run_program
    from iopermit.machine.tasks.machine import (
        MEMORY,
        SMALLEST_MEMORY,
        Options,
    )

    chosen = executable_design(design)
    size = scenario.memory_size(memory) or MEMORY
    if not SMALLEST_MEMORY <= size <= MEMORY:
        raise BadInputError(f"--memory {memory}: choose from 8M to 1G")
    switches = dict.fromkeys(option or (), True)
    diagnostics = cast("TextIO", Diagnostics())
    try:
        machine = Options(
            chosen, switches, cpu, cpus, seed, max_tasks, user, size,
            os.path.realpath(root), as_root_files, sandbox,
            "" if export is None else str(export), timeout,
        )  # fmt: skip
        with contextlib.ExitStack() as stack:
            log = _open(io_log, stack) if io_log else None
            sent = _open(serial, stack)
            outputs = Outputs(
                _bus_maker(log, sent),
                lambda: _finish_all(log, sent),
                [file.stream.fileno() for file in (log, sent) if file is not None],
                streams,
                strace=diagnostics if strace else None,
                messages=diagnostics,
            )
            path = program if root != Path("/") and "/" in program else _find(program, root)
            with executing(chosen):
                result = run_program(Command(path, [program, *(arguments or [])]), machine, outputs)
    except (ExecError, MachineError, ValueError) as error:
        raise BadInputError(str(error), "bad-program") from error
    if json_file is not None:
        write_file(json_file, _summary(result, chosen.id))
    return _finish(result)


@dataclasses.dataclass
class _Output:
    """A file that a run writes to. If that fails the program goes on; it is told at its end."""

    name: str
    stream: BinaryIO
    failure: str = ""

    def write(self, data: str | bytes) -> None:
        """Write, or take note of why that is not possible."""
        with self._noted():
            self.stream.write(data.encode("utf-8") if isinstance(data, str) else data)

    def finish(self) -> None:
        """Write what is buffered. Raises MachineError if anything could not be written."""
        from iopermit.machine.errors import MachineError  # takes its time

        with self._noted():
            self.stream.flush()
        if self.failure:
            raise MachineError(f"cannot write {self.name}: {self.failure}")

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            # The reader wants no more.
            return
        except OSError as error:
            self.failure = error.strerror or str(error)


def _finish_all(*files: _Output | None) -> None:
    for file in files:
        if file is not None:
            file.finish()


def _open(file: Path | None, stack: contextlib.ExitStack) -> _Output:
    """Open a file for a run, or standard output, which is written at once. Raises OutputError."""
    if file is None:
        stdout = open(1, "wb", 0, closefd=False)  # noqa: SIM115 - a descriptor; the stack closes it
        return _Output("standard output", stack.enter_context(stdout))
    try:
        return _Output(str(file), stack.enter_context(file.open("wb")))
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error


def _find(program: str, root: Path) -> str:
    """Return the path of a program; a name without a slash is looked up in PATH."""
    if "/" in program:
        return program
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for folder in folders if root != Path("/") else ():
        if os.access(root / folder.lstrip("/") / program, os.X_OK):
            return f"{folder}/{program}"
    found = shutil.which(program) if root == Path("/") else None
    if found is None:
        raise BadInputError(
            f"there is no program {program!r} on the PATH; for a file: ./{program}", "bad-program"
        )
    return found


def _bus_maker(log: _Output | None, serial: _Output) -> Callable[[Clock], Bus]:
    """Return a function that connects the devices, once the machine has a clock."""
    from iopermit.machine.devices import standard
    from iopermit.machine.devices.bus import Bus  # takes its time
    from iopermit.machine.devices.clock import PolledTime

    return lambda clock: Bus(standard(serial, PolledTime(clock)), log)


def _finish(result: Result) -> ExitCode | ProgramStatus:
    from iopermit.machine.emulator import End  # takes its time

    if result.message:
        complain(f"iopermit: {result.message}")
    match result.end:
        case End.TIMEOUT | End.STUCK:
            return ExitCode.UNDETERMINED
        case End.CRASHED:
            return ExitCode.VIOLATED
        case _:
            return ProgramStatus(result.status)


def _summary(result: Result, design: str) -> str:
    from iopermit.report.json import to_text  # takes its time

    fields = dataclasses.asdict(result)
    return to_text({"schema": SCHEMA, "design": design, **fields, "end": result.end.value})
