"""`iopermit run`: a real program on a design."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer

from iopermit.cli import scenario
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode, ProgramStatus
from iopermit.cli.output import check_writable, complain, write_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.machine.clock import Clock
    from iopermit.machine.devices.bus import Bus
    from iopermit.machine.emulator import Result
    from iopermit.machine.run import EmulatorError

SCHEMA = "iopermit/run/1"
_BACKENDS = ("unicorn", "kvm")
_SANDBOX = ("auto", "on", "off")


def run(  # noqa: C901, PLR0913 - one argument for each option, one check for each value
    program: Annotated[str, typer.Argument(metavar="PROGRAM", show_default=False)],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", show_default=False)
    ] = None,
    *,
    design: Annotated[
        str, typer.Option(metavar="DESIGN", help="An id, FILE.py, or FILE.py:CLASS.")
    ] = "linux-6.16",
    option: scenario.Option = None,
    cpu: Annotated[str, typer.Option(metavar="NAME", help="`unicorn` or `kvm`.")] = "unicorn",
    cpus: Annotated[int, typer.Option(metavar="N", help="Virtual CPUs.", min=1, max=32)] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the schedule.")] = 0,
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
        float | None, typer.Option(metavar="S", help="Give up after so many seconds.", min=0.01)
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
        typer.Option(metavar="WHEN", help="Landlock, seccomp and so on: `auto`, `on` or `off`."),
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
    if timeout is not None and not math.isfinite(timeout):
        raise BadInputError(f"--timeout {timeout}: it takes a number of seconds")
    if not root.is_dir():
        raise BadInputError(f"--root {root}: there is no such directory")
    streams = reserve_standard_streams()
    for file in (io_log, serial, json_file):
        if file is not None:
            check_writable(file)

    from iopermit.machine.emulator import Command, Outputs
    from iopermit.machine.errors import MachineError
    from iopermit.machine.program.elf import ExecError  # takes its time
    from iopermit.machine.run import EmulatorError, run_program
    from iopermit.machine.tasks.machine import (
        MEMORY,
        SMALLEST_MEMORY,
        Options,
    )
    from iopermit.translate.frontend.load import load_design

    chosen = load_design(design)
    size = scenario.memory_size(memory) or MEMORY
    if not SMALLEST_MEMORY <= size <= MEMORY:
        raise BadInputError(f"--memory {memory}: choose from 8M to 1G")
    switches = dict.fromkeys(option or (), True)
    try:
        machine = Options(
            chosen, switches, cpu, cpus, seed, max_tasks, user, size,
            os.path.realpath(root), as_root_files, sandbox,
            "" if export is None else str(export), timeout,
        )  # fmt: skip
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(io_log.open("w", encoding="utf-8")) if io_log else None
            target = 1 if serial is None else serial
            sent = stack.enter_context(open(target, "wb", 0, closefd=serial is not None))
            written = [file.fileno() for file in (log, sent) if file is not None]
            outputs = Outputs(
                _bus_maker(log, sent),
                log.flush if log else lambda: None,
                written,
                streams,
                strace=sys.stderr if strace else None,
            )
            path = program if root != Path("/") and "/" in program else _find(program, root)
            result = run_program(Command(path, [program, *(arguments or [])]), machine, outputs)
    except (ExecError, MachineError, ValueError) as error:
        raise BadInputError(str(error)) from error
    except EmulatorError as error:
        complain(f"iopermit: internal error: {error}\n{_report(error, design)}")
        return ExitCode.INTERNAL_ERROR
    if json_file is not None:
        write_file(json_file, _summary(result, chosen.id))
    return _finish(result)


def reserve_standard_streams() -> tuple[bool, bool, bool]:
    """Return which of descriptors 0, 1 and 2 are open, and let nothing else get their numbers."""
    states = []
    for number in range(3):
        try:
            os.fstat(number)
            states.append(True)
        except OSError:
            states.append(False)
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
    return states[0], states[1], states[2]


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
        raise BadInputError(f"there is no program {program!r} on the PATH; for a file: ./{program}")
    return found


def _report(error: EmulatorError, design: str) -> str:
    """Write what is known of a fault to a file; return what to do with it."""
    import tempfile  # takes its time

    command = " ".join(map(shlex.quote, sys.argv))
    text = f"command: {command}\ndesign: {design}\nfault: {error}\n{error.details}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="iopermit-fault-", suffix=".txt", delete=False, errors="backslashreplace"
        ) as file:
            file.write(text)
    except OSError:
        return text
    return f"  This is a fault of iopermit. Please report it with the file {file.name}"


def _bus_maker(log: TextIO | None, serial: BinaryIO) -> Callable[[Clock], Bus]:
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
