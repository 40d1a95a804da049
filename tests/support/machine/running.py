"""Runs the command `iopermit run` for tests, in a child process that need not import anything."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from iopermit.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

for _name in (
    "iopermit.cli.app",
    "iopermit.machine.devices.clock",
    "iopermit.machine.cpu.kvm_cpu",
    "iopermit.machine.run",
    "iopermit.machine.cpu.unicorn_cpu",
    "iopermit.translate.frontend.load",
):
    # What the verb imports only when it needs it: once here, not in every child.
    importlib.import_module(_name)

_CRASHED: Final = 99
"""Exit status of a child that did not get to an end."""


@dataclass(frozen=True)
class Ran:
    """What a run printed and how it ended."""

    output: str
    """Standard output of the program."""
    errors: str
    """Standard error of the program and of iopermit."""
    status: int
    """Exit status, or minus the number of the signal that ended iopermit."""


def iopermit_run(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, check: bool = False
) -> Ran:
    """Run `iopermit run ARGUMENTS` as the command line does.

    Args:
        arguments: of the verb, the program among them.
        environment: variables to set beside those of this process.
        check: whether the status must be 0.
    """
    words = ["run", *map(str, arguments)]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _become(words, environment or {}, output, errors)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        errors.seek(0)
        ran = Ran(output.read().decode(), errors.read().decode(), status)
    assert not check or ran.status == 0, ran
    return ran


def _become(
    words: list[str], environment: Mapping[str, str], output: BinaryIO, errors: BinaryIO
) -> NoReturn:
    """Be the command line, in a child process, to the end."""
    status = _CRASHED
    try:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - it has no path of interest
            os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        # What pytest put in their place does not write to these descriptors.
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc]  # Final # noqa: SIM115 - stays open
        sys.stderr = sys.__stderr__ = open(2, "w", closefd=False)  # type: ignore[misc]  # Final # noqa: SIM115 - stays open
        os.environ.update(environment)
        status = int(main(words))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a child must never return into pytest
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)
