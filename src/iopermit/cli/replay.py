"""`iopermit replay FILE`: step through a saved schedule again, at full size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from iopermit.cli.check import Output, deliver
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode, exit_code
from iopermit.cli.kernel import SandboxOption
from iopermit.engine.errors import ReplayError

_SAVE_HINT = "write one with: iopermit check DESIGN --save FILE"


def replay_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    steps: Annotated[
        bool, typer.Option("--steps", help="Show every atomic step with its source line.")
    ] = False,
    sandbox: SandboxOption = None,
) -> ExitCode:
    """Step through the schedule that `iopermit check --save FILE` saved, on full-size state."""
    saved = read_saved(file)
    if saved.get("kernel") is not None:
        from iopermit.cli.kernel import replay_kernel

        found = replay_kernel(saved, file, sandbox)
        deliver(found, Output(as_json=as_json, steps=steps, replayed=file))
        return exit_code(found.verdict)

    from iopermit.search.replay import replay  # takes its time

    try:
        verdict = replay(saved)
    except ReplayError as error:
        hint = "the file was damaged, or the design changed since it was saved"
        raise BadInputError(f"{file}: {error}; {hint}") from error
    deliver(verdict, Output(as_json=as_json, steps=steps, replayed=file))
    return exit_code(verdict.verdict)


def read_saved(file: Path) -> dict[str, Any]:
    """Return the verdict that a file has.

    Raises:
        BadInputError: the file cannot be read, or has no schedule.
    """
    from iopermit.report.saved import problem_of  # imports the designs

    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot read {file}: {error.strerror}; {_SAVE_HINT}") from error
    except json.JSONDecodeError as error:
        where = f"{file}:{error.lineno}:{error.colno}"
        raise BadInputError(f"{where}: not JSON, or cut off: {error.msg}; {_SAVE_HINT}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(f"{file}: not JSON: {error}; {_SAVE_HINT}") from error
    problem = problem_of(saved)
    if problem:
        raise BadInputError(f"{file} cannot be replayed: {problem}; {_SAVE_HINT}")
    return dict(saved)
