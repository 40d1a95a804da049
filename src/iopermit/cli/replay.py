"""`iopermit replay FILE`: step through a saved schedule again, at full size."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli.delivery.verdict import FormatOption, Output, deliver
from iopermit.cli.errors import NO_LONGER, BadInputError, RepairedError
from iopermit.cli.exit_codes import ExitCode, exit_code
from iopermit.cli.kernel import SandboxOption
from iopermit.cli.output import Html, check_writable, print_result
from iopermit.cli.parser.completion import designs_like
from iopermit.designs import UnknownDesignError
from iopermit.engine.errors import ReplayError
from iopermit.engine.facts import Facts, concerning
from iopermit.report.json import to_text
from iopermit.translate.frontend.input_file import read_input

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict

_SAVE_HINT: Final = "write one with: iopermit check DESIGN --save FILE"
_LONGEST: Final = 32 << 20
"""Bytes of a file that can be replayed: parsing takes some twenty times as much memory."""


def replay_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What `check --save FILE` wrote.", show_default=False),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    steps: Annotated[
        bool, typer.Option("--steps", help="Show every atomic step with its source line.")
    ] = False,
    html: Html = None,
    sandbox: SandboxOption = None,
    design: Annotated[
        str,
        typer.Option(
            metavar="DESIGN",
            help="Execute it on this design: an id, FILE.py, or FILE.py:CLASS.",
            autocompletion=designs_like,
        ),
    ] = "",
    form: FormatOption = None,
) -> ExitCode:
    """Step through the schedule that `iopermit check --save FILE` saved, on full-size state.

    If the design or the tree changed, and the schedule no longer shows the violation, the exit
    status is 5: it is repaired, as far as this schedule tells.
    """
    if html is not None:
        check_writable(html)
    saved = _for_design(read_saved(file), design)
    output = Output(as_json=as_json, steps=steps, html=html, replayed=file, form=form)
    with concerning(lambda: {"saved file": str(file)} | _design_of(saved)):
        try:
            return _replayed(saved, file, output, sandbox)
        except RepairedError as error:
            return _repaired(saved, str(error), as_json=as_json)


def _repaired(saved: dict[str, Any], message: str, *, as_json: bool) -> ExitCode:
    """Say that the schedule no longer shows what it showed."""
    answer = {"schema": "iopermit/repaired/1", "subject": saved["subject"], "message": message}
    text = f"REPAIRED, as far as this schedule tells: {saved['subject']} changed, and {message}\n"
    print_result(to_text(answer) if as_json else text)
    return ExitCode.REPAIRED


def _design_of(saved: dict[str, Any]) -> Facts:
    if saved.get("kernel") is not None:
        return {}
    name = saved["design"]["name"]
    file = saved["design"]["file"] or (name.rpartition(":")[0] if ":" in name else "")
    return {"design": name, "design file": file, "options": saved["design"]["options"]}


def _replayed(saved: dict[str, Any], file: Path, output: Output, sandbox: str | None) -> ExitCode:
    if saved.get("kernel") is not None:
        from iopermit.cli.kernel import replay_kernel

        found = replay_kernel(saved, file, sandbox)
        deliver(found, output)
        return exit_code(found.verdict)

    verdict = replay_design(saved, file)
    deliver(verdict, output)
    return exit_code(verdict.verdict)


def replay_design(saved: dict[str, Any], file: Path) -> Verdict:
    """Execute a saved schedule of a design again.

    Args:
        saved: what was saved.
        file: where.

    Raises:
        BadInputError: the file is damaged, or the schedule no longer shows the violation.
    """
    from iopermit.search.replay import replay  # takes its time

    try:
        return replay(saved)
    except UnknownDesignError as error:
        raise BadInputError(
            f"{file}: {error}; if it moved: --design FILE.py:CLASS", "bad-file"
        ) from error
    except ReplayError as error:
        if NO_LONGER in str(error) and _has_changed(saved):
            raise RepairedError(str(error)) from error
        hint = "the file was damaged, or the design changed since it was saved"
        raise BadInputError(f"{file}: {error}; {hint}", "bad-file") from error


def _for_design(saved: dict[str, Any], design: str) -> dict[str, Any]:
    """Return a saved verdict whose schedule is to be executed on a design, if one is named."""
    if not design:
        return saved
    if saved.get("kernel") is not None:
        raise BadInputError("--design: the schedule is of a kernel tree")
    named = saved["design"] | {"name": design, "file": ""}
    return saved | {"design": named, "also": [_for_design(o, design) for o in saved["also"]]}


def _has_changed(saved: dict[str, Any]) -> bool:
    """Return whether the design's file is another one than when its schedule was saved."""
    from iopermit.report.json import file_digest  # takes its time
    from iopermit.translate.frontend.load import load_design

    design = load_design(saved["design"]["name"], tuple(saved["design"]["options"]))
    # Files of before this was saved have no such member.
    before = saved["design"].get("digest") or None
    return before not in (None, file_digest(inspect.getfile(design)))


def read_saved(file: Path) -> dict[str, Any]:
    """Return the verdict that a file has.

    Raises:
        BadInputError: the file cannot be read, or has no schedule.
    """
    from iopermit.report.portable import located
    from iopermit.report.saved import problem_of  # imports the designs

    try:
        saved = json.loads(read_input(file, _LONGEST).decode())
    except OSError as error:
        raise BadInputError(
            f"cannot read {file}: {error.strerror}; {_SAVE_HINT}", "bad-file"
        ) from error
    except json.JSONDecodeError as error:
        where = f"{file}:{error.lineno}:{error.colno}"
        raise BadInputError(
            f"{where}: not JSON, or cut off: {error.msg}; {_SAVE_HINT}", "bad-file"
        ) from error
    except RecursionError as error:
        raise BadInputError(
            f"{file}: its JSON is nested too deep; {_SAVE_HINT}", "bad-file"
        ) from error
    except ValueError as error:  # bytes that are no UTF-8, or a number of thousands of digits
        raise BadInputError(f"{file}: not JSON: {error}; {_SAVE_HINT}", "bad-file") from error
    problem = problem_of(saved)
    if problem:
        raise BadInputError(f"{file} cannot be replayed: {problem}; {_SAVE_HINT}", "bad-file")
    return located(saved, file.parent)
