"""`iopermit reproduce FILE`: execute a saved schedule on a kernel in a virtual machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.kernel import SandboxOption, replay_kernel
from iopermit.cli.output import Html, check_writable, print_result, write_file
from iopermit.cli.process.extras import require
from iopermit.cli.replay import read_saved, replay_design
from iopermit.cli.reproduce.request import (
    AppendOption,
    ControlImageOption,
    ControlPatchOption,
    ImageOption,
    ReproductionRequest,
    page_of,
)
from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.report.reproduction.facts import Reproduction

_MOST_RUNS: Final = 1000
_MOST_ATTEMPTS: Final = 10_000_000
_STATUS: Final = {
    "reproduced": ExitCode.VIOLATED,
    "not reproduced": ExitCode.HOLDS,
    "undetermined": ExitCode.UNDETERMINED,
}


def reproduce_file(  # noqa: PLR0913 - one parameter per option
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    *,
    image: ImageOption = None,
    kernel: Annotated[
        Path | None,
        typer.Option(metavar="TREE", help="Build a minimal kernel of this source tree instead."),
    ] = None,
    patch: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Apply this patch or mail to the tree. Repeatable."),
    ] = None,
    append: AppendOption = "",
    violation: Annotated[
        int, typer.Option(metavar="N", min=1, help="Of several that `check --all` saved, the Nth.")
    ] = 1,
    control_patch: ControlPatchOption = None,
    control_image: ControlImageOption = None,
    runs: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST_RUNS, help="Boot it so often.")
    ] = 1,
    controls: Annotated[
        bool,
        typer.Option("--controls/--no-controls", help="Also preempt before, behind and nowhere."),
    ] = True,
    free: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=_MOST_ATTEMPTS,
            help="Force nothing: let the tasks alone so often, and count.",
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=1,
            callback=bounds.seconds,
            help="Give up a machine that is silent for so long.",
        ),
    ] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    html: Html = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the headline only, and no progress.")
    ] = False,
    sandbox: SandboxOption = None,
) -> ExitCode:
    """Execute the schedule that `iopermit check --save FILE` saved on a booted kernel.

    The kernel runs in a virtual machine, QEMU without KVM, never on this system. A debugger holds
    tasks between instructions; it writes neither registers nor memory. Exit status: 1 reproduced,
    0 every step was forced and the fault did not show, 3 undetermined.
    """
    require("reproduce")
    if html is not None:
        check_writable(html)
    if (image is None) == (kernel is None) or (patch and kernel is None):
        raise BadInputError("give one of --image VMLINUZ and --kernel TREE; --patch needs the tree")
    request = ReproductionRequest(
        image,
        kernel,
        tuple(patch or ()),
        append,
        tuple(control_patch or ()),
        control_image,
        sandbox,
        runs,
        timeout,
        controls=controls,
        free=free,
        quiet=quiet,
    )
    verdict = _chosen(_replayed(read_saved(file), file, sandbox), violation, file)
    try:
        found = request.reproduced(verdict)
    except ReproduceError as error:
        raise BadInputError(str(error)) from error
    _deliver(found, as_json=as_json, quiet=quiet)
    if html is not None:
        write_file(html, page_of(found))
    return _STATUS[found.outcome]


def _replayed(saved: dict[str, Any], file: Path, sandbox: str | None) -> Verdict:
    """Execute the schedule at full size first: a damaged file is found out before any boot."""
    if saved.get("kernel") is not None:
        return replay_kernel(saved, file, sandbox)
    return replay_design(saved, file)


def _chosen(verdict: Verdict, number: int, file: Path) -> Verdict:
    """Return one of the violations that a file has, by its number from 1 on.

    Raises:
        BadInputError: it has none, or not so many.
    """
    if verdict.violation is None:
        raise BadInputError(f"{file} has no violation to reproduce", "bad-file")
    every = (verdict, *verdict.also)
    if number > len(every):
        has = "one violation" if len(every) == 1 else f"{len(every)} violations"
        raise BadInputError(f"--violation {number}: {file} has {has}")
    return replace(every[number - 1], also=())


def _deliver(found: Reproduction, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        from iopermit.report.json import to_text  # only now needed
        from iopermit.report.reproduction.json import reproduction_json

        print_result(to_text(reproduction_json(found)))
        return
    from iopermit.cli.delivery.show import as_text, in_colour
    from iopermit.report.reproduction.text import reproduction_text
    from iopermit.report.reproduction.told import headline

    if quiet:
        print_result(f"{headline(found)}\n")
    else:
        print_result(as_text(reproduction_text(found), colour=in_colour()), styled=True)
