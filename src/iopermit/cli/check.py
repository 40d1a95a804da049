"""`iopermit check`: search a design, or a kernel tree, exhaustively for a violation."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.certify import write_certificate
from iopermit.cli.delivery.verdict import FormatOption, Output, deliver_with_reproduction
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode, exit_code
from iopermit.cli.kernel import (
    ConfigOption,
    SandboxOption,
    TreeRequest,
    check_kernel,
    status_of,
)
from iopermit.cli.output import Html, check_writable
from iopermit.cli.parser.completion import designs_like
from iopermit.cli.process.extras import require
from iopermit.cli.progress import shown
from iopermit.cli.reductions import with_reductions
from iopermit.cli.reproduce.with_check import (
    ReproduceOptions,
    with_reproduction,
)
from iopermit.cli.scale.options import Checkpoint, Cluster, Disk, Interval, Resume, ScaleRequest
from iopermit.translate.analyses.reductions import Reductions


@with_reductions
@with_reproduction
def check_design(  # noqa: PLR0913 - one parameter per option
    design: Annotated[
        str | None,
        typer.Argument(
            metavar="DESIGN",
            help="An id (see `iopermit list`), FILE.py, or FILE.py:CLASS.",
            show_default=False,
            autocompletion=designs_like,
        ),
    ] = None,
    *,
    kernel: Annotated[
        Path | None, typer.Option(metavar="TREE", help="Check this kernel source tree's C code.")
    ] = None,
    patch: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Apply this patch or mail to it. Repeatable."),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Take the patches back instead, the last one first.")
    ] = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="violated|introduced",
            help="With --patch, when the status is 1: always, or only for what the patch brings.",
            show_default="violated",
        ),
    ] = None,
    keep_build: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Leave the kernel's build there.")
    ] = None,
    sandbox: SandboxOption = None,
    config: ConfigOption = None,
    every_access: Annotated[
        bool,
        typer.Option("--every-access", help="Search the kernel's code without any reduction."),
    ] = False,
    max_depth: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Let so many events happen then.", show_default="3"),
    ] = None,
    events: bounds.Events = None,
    without: bounds.Without = None,
    cpus: bounds.Cpus = None,
    tasks: bounds.Tasks = None,
    longs: bounds.Longs = None,
    every: Annotated[bool, typer.Option("--all", help="Show every different violation.")] = False,
    option: bounds.Option = None,
    max_states: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Give up after this many states.")
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Give up at this much memory, e.g. 2G.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, callback=bounds.seconds, help="Give up after this time."
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=bounds.MOST_THREADS, help="Threads of the search."),
    ] = 1,
    checkpoint: Checkpoint = None,
    interval: Interval = None,
    resume: Resume = None,
    disk: Disk = None,
    cluster: Cluster = None,
    reductions: Reductions,
    savings: Annotated[
        bool, typer.Option("--savings", help="Also search without each reduction, and compare.")
    ] = False,
    obligations: Annotated[
        bool, typer.Option("--obligations", help="Let z3 show that the reductions are sound here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write SARIF 2.1.0.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write JUnit XML.")
    ] = None,
    html: Html = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save for `iopermit replay FILE`.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="If it holds, write `certify`'s proof.")
    ] = None,
    reproduction: ReproduceOptions,
    steps: Annotated[
        bool, typer.Option("--steps", help="Show every atomic step with its source line.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the headline only, and no progress.")
    ] = False,
    form: FormatOption = None,
) -> ExitCode:
    """Search a design for a port leak, a lost permission, a kernel crash or a memory leak.

    Without bounds, smaller scenarios are searched before larger ones, and plain events before
    all events; --events, --without, --cpus, --tasks or --longs fix one scenario. With --kernel
    the C code of a source tree is built and executed instead, under all events.
    """
    output = Output(as_json, steps, quiet, sarif, junit, html, save, form=form)
    reproduction.require_alone(form or reverse or (config or "full") != "full")
    for file in (*output.files, *([certificate] if certificate else [])):
        check_writable(file)
    scale = ScaleRequest(checkpoint, interval, resume, disk, cluster)
    scale.refuse_with(
        {
            "--kernel": kernel is not None,
            "--all": every,
            "--savings": savings,
            "--certificate": certificate is not None,
        }
    )
    if kernel is not None:
        if design is not None or every or option or certificate or obligations:
            raise BadInputError(
                "--kernel takes no DESIGN, --all, --option, --certificate or --obligations"
            )
        if reverse and not patch:
            raise BadInputError("--reverse needs --patch FILE")
        wanted = (events, without, cpus, tasks, longs, max_states, timeout, quiet, sandbox, reverse)
        modes = (fail_on, every_access, max_depth, config, bounds.memory_size(max_memory))
        booted = reproduction.request(kernel, patch or (), sandbox, quiet=quiet)
        request = TreeRequest(kernel, tuple(patch or ()), keep_build, *wanted, *modes)
        verdict = check_kernel(request)
        deliver_with_reproduction(verdict, output, booted)
        return status_of(verdict)
    if design is None:
        raise BadInputError("give a DESIGN (see `iopermit list`), or --kernel TREE")
    _refuse_of_trees(patch, reverse, keep_build, sandbox, config, fail_on, every_access, max_depth)
    if obligations:
        require("prove")
    booted = reproduction.request(None, (), None, quiet=quiet)

    from iopermit.translate.frontend.load import load_design  # imports every design

    scenario = scale.with_scenario(bounds.scenario(events, without, cpus, tasks, longs))
    memory = bounds.memory_size(max_memory)
    if certificate and scenario is None:
        raise BadInputError("--certificate needs a scenario, such as --cpus 1 --tasks 2 --longs 1")
    options = tuple(option or ())
    loaded = load_design(design, options, seconds=timeout)

    from iopermit.engine.ladder import design_scenarios  # as below
    from iopermit.engine.limits import Limits  # as below
    from iopermit.search.check import check  # imports LLVM
    from iopermit.search.problem import Problem, Settings

    limits = Limits(max_states, memory, timeout)
    ladder = functools.partial(design_scenarios, every=every)
    with shown(quiet=quiet, ladder=ladder if scenario is None else lambda: [scenario]) as progress:
        control = progress.control(limits)
        if scale.is_wanted:
            assert scenario is not None  # or it was refused
            problem = Problem(loaded, scenario, Settings(reductions, threads), control)
            verdict = scale.verdict(problem, options, with_obligations=obligations)
        else:
            verdict = check(
                loaded,
                scenario,
                control=control,
                reductions=reductions,
                threads=threads,
                every=every,
                options=options,
                with_savings=savings,
                with_obligations=obligations,
            )
    deliver_with_reproduction(verdict, output, booted)
    if certificate is None:
        return exit_code(verdict.verdict)
    with shown(quiet=quiet, ladder=lambda: [verdict.scenario]) as progress:
        settings = Settings(reductions, threads)
        problem = Problem(loaded, verdict.scenario, settings, progress.control(limits))
        return write_certificate(certificate, problem, verdict)


def _refuse_of_trees(*options: object) -> None:
    """Refuse the options that only trees have. Raises BadInputError."""
    if any(options):
        raise BadInputError(
            "--patch, --reverse, --fail-on, --keep-build, --sandbox, --config, --every-access and "
            "--max-depth need --kernel TREE"
        )
