"""Runs a program on a machine, in a process that can do nothing else; the entry point.

Two processes: the emulator, which executes the program and has given up every right on the host
by then, and the broker, this process, which opens files for it as far as the policy goes.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import socket
import stat
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, NoReturn

from iopermit.engine.interruption import SIGNALS, interrupt
from iopermit.machine.credentials import Credentials
from iopermit.machine.emulator import End, First, Result, emulate
from iopermit.machine.errors import MachineError
from iopermit.machine.isolation.broker import Broker, HostFiles
from iopermit.machine.isolation.export import Exporter
from iopermit.machine.isolation.host_walk import HostTree
from iopermit.machine.isolation.policy import Policy
from iopermit.machine.isolation.sandbox import keep_only
from iopermit.machine.isolation.walks import components
from iopermit.machine.program.elf import ExecError
from iopermit.machine.tasks import own_trees
from iopermit.system.crash import KernelCrash

if TYPE_CHECKING:
    from types import FrameType

    from iopermit.machine.emulator import Command, Outputs
    from iopermit.machine.isolation.walks import Answer
    from iopermit.machine.tasks.machine import Options

_ORDINARY_UID: Final = 1000
_GRACE: Final = 5.0
"""Seconds after the end of the time, or after an interruption, in which the emulator is to say so.
It does not while a hook of the design goes on for ever."""


class EmulatorError(Exception):
    """The emulator failed; `details` has what is known, for a report."""

    def __init__(self, message: str, details: str = "") -> None:
        self.details = details
        super().__init__(message)


def run_program(command: Command, options: Options, outputs: Outputs) -> Result:
    """Run a program to its end.

    Args:
        command: the program.
        options: the machine.
        outputs: where everything goes, already open.

    Raises:
        ExecError: the program cannot be loaded.
        MachineError: the CPU back end cannot be used.
        ValueError: the design has no such option.
        EmulatorError: the emulator failed.
        KeyboardInterrupt: the user interrupted the run.
    """
    ids = Credentials.of_user(_ORDINARY_UID) if options.user else Credentials()
    policy = Policy(options.root, options.as_root_files, ids if options.user else None)
    try:
        tree = HostTree(policy, own_trees.NAMES)
    except OSError as error:
        raise MachineError(f"--root {options.root}: {error.strerror}") from error
    try:
        exporter = Exporter(options.export) if options.export else None
    except OSError as error:
        raise MachineError(f"--export {options.export}: {error.strerror}") from error
    try:
        return _in_two_processes(tree, exporter, command, options, outputs, ids)
    finally:
        tree.close()
        if exporter is not None:
            exporter.close()


def _in_two_processes(
    tree: HostTree,
    exporter: Exporter | None,
    command: Command,
    options: Options,
    outputs: Outputs,
    ids: Credentials,
) -> Result:
    cwd = _working_directory(options.root)
    names = components(command.path)[0]
    if not command.path.startswith("/"):
        names = [*components(cwd)[0], *names]
    answer = tree.name_program(names, ids)
    first = _first(command.path, answer, cwd, ids)
    ours, theirs = socket.socketpair()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # The collector of the child leaves alone what is here already, so that it stays shared.
    gc.freeze()
    child = os.fork()
    if child == 0:
        ours.close()
        _be_the_emulator(theirs, first, command, options, outputs)
    gc.unfreeze()
    theirs.close()
    os.close(first.descriptor)
    with ours:
        broker = Broker(tree, ours, exporter)
        report = _serve(broker, child, options.timeout)
    result = _result(report, child, options.timeout)
    if broker.not_kept:
        raise MachineError(f"--export {options.export}: {broker.not_kept}")
    return result


def _first(path: str, answer: Answer, cwd: str, ids: Credentials) -> First:
    """Return the program that the user named, open. Raises ExecError."""
    if answer.descriptor >= 0 and answer.status is not None:
        canonical, name = "/" + "/".join(answer.path), path.rpartition("/")[2]
        return First(canonical, name, answer.descriptor, answer.status, cwd, ids)
    if answer.status is None:
        number = answer.error or errno.ENOENT
        raise ExecError(number, f"cannot open {path}: {os.strerror(number)}")
    what = "is not executable" if stat.S_ISREG(answer.status.mode) else "is not a file"
    raise ExecError(errno.EACCES, f"{path} {what}")


def _working_directory(root: str) -> str:
    """Return the working directory as programs see it: / if it was removed or is outside."""
    try:
        directory = os.getcwd()
    except OSError:
        return "/"
    inside = os.path.realpath(root)
    if inside == "/":
        return directory
    if directory == inside or directory.startswith(inside + "/"):
        return directory[len(inside) :] or "/"
    return "/"


# The emulator's process.


def _be_the_emulator(
    connection: socket.socket, first: First, command: Command, options: Options, outputs: Outputs
) -> NoReturn:
    """Run the program, tell the broker's process how that ended, and end."""
    report: dict[str, Any] = {}
    try:
        for number in SIGNALS[1:]:
            # A terminal that is closed sends these to both; the other process sends SIGINT on.
            signal.signal(number, signal.SIG_IGN)
        host = HostFiles(connection)
        keep_only([connection.fileno(), first.descriptor, *outputs.descriptors])
        report = _report(host, first, command, options, outputs)
        try:
            outputs.flush()
        except MachineError as error:
            report = {"ended": "MachineError", "message": str(error)}
        host.report(report)
    except BaseException:  # noqa: BLE001 - nothing may come back into the code of the other process
        os._exit(1)
    os._exit(0)


def _report(
    host: HostFiles, first: First, command: Command, options: Options, outputs: Outputs
) -> dict[str, Any]:
    try:
        result = emulate(host, first, command, options, outputs)
    except ExecError as error:
        return {"ended": "ExecError", "errno": error.errno, "message": str(error)}
    except (MachineError, ValueError) as error:
        return {"ended": type(error).__name__, "message": str(error)}
    except KernelCrash as crash:
        message = f"BUG: kernel crash in {options.design.id}: {crash}"
        return {"ended": "result", "result": Result(End.CRASHED, message=message).as_message()}
    except KeyboardInterrupt:
        return {"ended": "interrupted"}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told as a fault of iopermit
        message = f"{type(error).__name__}: {error}"
        return {"ended": "fault", "message": message, "details": traceback.format_exc()}
    return {"ended": "result", "result": result.as_message()}


# The broker's process.


def _serve(broker: Broker, child: int, timeout: float | None) -> dict[str, Any] | None:
    """Serve the emulator until it ends; what interrupts this process interrupts it too."""
    previous = {}
    forwarded = 0

    def forward(number: int, frame: FrameType | None) -> None:
        nonlocal forwarded
        forwarded += 1
        if forwarded > 1:
            # The emulator does not answer.
            interrupt(number, frame)
        signal.setitimer(signal.ITIMER_REAL, _GRACE)
        os.kill(child, signal.SIGINT)

    with contextlib.suppress(ValueError):
        # Outside the main thread there are no signals.
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, forward)
        previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, interrupt)
    try:
        return broker.serve(None if timeout is None else time.monotonic() + timeout + _GRACE)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        if previous:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _result(report: dict[str, Any] | None, child: int, timeout: float | None) -> Result:
    """Return what the emulator reports, of which nothing is believed; raise what it raised."""
    if report is None:
        # It is gone, or does not answer: then it is now.
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if report is None and status == -signal.SIGKILL and timeout is not None:
        return Result(End.TIMEOUT, message=f"the program did not end within {timeout:g} s")
    if report is None:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise EmulatorError(f"the emulator ended with {how} and without a report")
    message = str(report.get("message", ""))
    match report.get("ended"):
        case "result":
            try:
                return Result.from_message(report["result"])
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise EmulatorError("the emulator sent a report that makes no sense") from error
        case "ExecError":
            raise ExecError(errno.ENOEXEC, message)
        case "MachineError":
            raise MachineError(message)
        case "ValueError":
            raise ValueError(message)
        case "interrupted":
            raise KeyboardInterrupt
        case _:
            raise EmulatorError(message, str(report.get("details", "")))
