"""`iopermit reproduce FILE`: execute a saved schedule on a kernel in a virtual machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.kernel import SandboxOption, replay_kernel, sandbox_choice
from iopermit.cli.output import complain, print_result
from iopermit.cli.process.extras import require
from iopermit.cli.replay import read_saved, replay_design
from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.engine.verdict import Verdict
    from iopermit.report.reproduction.facts import Reproduction
    from iopermit.reproduce.image.kernel_image import KernelImage

_MOST_RUNS: Final = 1000
_STATUS: Final = {
    "reproduced": ExitCode.VIOLATED,
    "not reproduced": ExitCode.HOLDS,
    "undetermined": ExitCode.UNDETERMINED,
}


def reproduce_file(  # noqa: PLR0913 - one parameter per option
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    *,
    image: Annotated[
        Path | None,
        typer.Option(metavar="VMLINUZ", help="The kernel's image, a bzImage with BTF."),
    ] = None,
    kernel: Annotated[
        Path | None,
        typer.Option(metavar="TREE", help="Build a minimal kernel of this source tree instead."),
    ] = None,
    patch: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Apply this patch or mail to the tree. Repeatable."),
    ] = None,
    append: Annotated[
        str,
        typer.Option(metavar="OPTIONS", help="Add these options to the kernel's command line."),
    ] = "",
    runs: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST_RUNS, help="Boot it so often.")
    ] = 1,
    controls: Annotated[
        bool,
        typer.Option("--controls/--no-controls", help="Also preempt before, behind and nowhere."),
    ] = True,
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
    from iopermit.reproduce.reproduction import Wanted, reproduce, unforceable  # takes its time

    if (image is None) == (kernel is None) or (patch and kernel is None):
        raise BadInputError("give one of --image VMLINUZ and --kernel TREE; --patch needs the tree")
    tell = _silent if quiet else _tell
    verdict = _replayed(read_saved(file), file, sandbox)
    if verdict.violation is None:
        raise BadInputError(f"{file} has no violation to reproduce")
    try:
        found = unforceable(verdict)
        if found is None:
            made = _image(image, kernel, patch or [], sandbox, tell)
            wanted = Wanted(made, append, runs, timeout, controls=controls)
            found = reproduce(verdict, wanted, tell)
    except ReproduceError as error:
        raise BadInputError(str(error)) from error
    _deliver(found, as_json=as_json, quiet=quiet)
    return _STATUS[found.outcome]


def _image(
    image: Path | None,
    tree: Path | None,
    patches: Sequence[Path],
    sandbox: str | None,
    tell: Callable[[str], None],
) -> KernelImage:
    """Return the kernel that is to be booted; builds it if it is a tree."""
    from iopermit.reproduce.emulated_machine import find_qemu  # only now needed
    from iopermit.reproduce.image.kernel_image import read_image

    find_qemu()
    if image is not None:
        return read_image(image)
    from iopermit.reproduce.image.tree import build_image

    assert tree is not None  # one of both
    choice = sandbox_choice(sandbox)
    return build_image(tree, patches, sandbox=choice, say=tell, warn=complain)


def _replayed(saved: dict[str, Any], file: Path, sandbox: str | None) -> Verdict:
    """Execute the schedule at full size first: a damaged file is found out before any boot."""
    if saved.get("kernel") is not None:
        return replay_kernel(saved, file, sandbox)
    return replay_design(saved, file)


def _tell(text: str) -> None:
    complain(f"iopermit: {text}")


def _silent(_: str) -> None:
    pass


def _deliver(found: Reproduction, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        from iopermit.report.json import to_text  # only now needed
        from iopermit.report.reproduction.json import reproduction_json

        print_result(to_text(reproduction_json(found)))
        return
    from iopermit.cli.show import as_text, in_colour
    from iopermit.report.reproduction.text import headline, reproduction_text

    if quiet:
        print_result(f"{headline(found)}\n")
    else:
        print_result(as_text(reproduction_text(found), colour=in_colour()), styled=True)
