"""`iopermit sweep FILE.toml`: designs, trees and revisions, checked side by side."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import Html, check_writable, complain, print_result, write_file
from iopermit.cli.process.extras import require
from iopermit.engine.interruption import Interruption

if TYPE_CHECKING:
    from iopermit.engine.ladder import Bounds
    from iopermit.report.sweep.facts import SweepReport, SweptJob
    from iopermit.sweep.definition import Definition, EventSet
    from iopermit.sweep.planning import SweepPlan
    from iopermit.sweep.pool import JobExecutor
    from iopermit.system.scenario import Scenario

_MOST_JOBS: Final = 256


def sweep(  # noqa: PLR0913 - one parameter per option
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", show_default=False)],
    *,
    database: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep results there.", show_default="FILE.sqlite"),
    ] = None,
    bisect: Annotated[
        bool,
        typer.Option("--bisect", help="Of revisions, find where verdicts change, in few jobs."),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=_MOST_JOBS,
            help="Run so many jobs at once.",
            show_default="as many as there are CPUs",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Run jobs on the nodes of this Ray cluster (`auto`: a local one).",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run again what failed or was undetermined.")
    ] = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Only show what the database has.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    html: Html = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the matrices, as SVG.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> ExitCode:
    """Check designs, kernel trees and git revisions by one description, side by side.

    FILE.toml names subjects, sets of events and scenarios. Each job is an `iopermit check` in a
    process of its own; its result is kept in a database, and no job is run twice. Exit status: 0
    every job holds, 1 one is violated, 3 none is, but one has no verdict.
    """
    for target in (html, plot):
        if target is not None:
            check_writable(target)
    if plot is not None:
        require("plot")
    if no_run and (retry or cluster is not None):
        other = "--retry" if retry else "--cluster"
        raise BadInputError(f"{other} and --no-run exclude one another")
    if cluster is not None:
        require("cluster")
    from iopermit.sweep.errors import SweepError  # only now needed

    wanted = _Wanted(jobs, cluster, bisect, retry, no_run, quiet)
    try:
        report = _swept(file, database or file.with_suffix(".sqlite"), wanted)
    except SweepError as error:
        raise BadInputError(str(error)) from error
    _deliver(report, as_json=as_json, html=html, plot=plot)
    return _status(report)


class _Wanted(NamedTuple):
    """What of a sweep is done, and how."""

    jobs: int | None
    cluster: str | None
    bisect: bool
    retry: bool
    no_run: bool
    quiet: bool


def _swept(file: Path, database: Path, wanted: _Wanted) -> SweepReport:
    from iopermit.sweep.database import Database  # only now needed
    from iopermit.sweep.planning import plan
    from iopermit.sweep.reading import read_definition
    from iopermit.sweep.sweeping import Sweep

    definition = read_definition(file)
    _require_limits(definition)
    if definition.trees or definition.revisions:
        require("kernel")
    scenario_of = functools.partial(_scenario, definition)
    with (
        tempfile.TemporaryDirectory(prefix="iopermit-sweep-") as scratch,
        _workers(wanted) as workers,
    ):
        planned = plan(definition, scenario_of, Path(scratch), workers)
        executor = _executor(planned, Path(scratch), wanted)
        with Database(database) as kept, Interruption() as interruption:
            if wanted.retry:
                kept.forget_undecided([job.key for job in planned.jobs])
            sweep = Sweep(definition.title, planned.jobs, kept)
            if wanted.no_run:
                return sweep.report(bisected=wanted.bisect)
            told = _silent if wanted.quiet else _tell
            return sweep.run(executor, workers, interruption, bisect=wanted.bisect, told=told)


def _workers(wanted: _Wanted) -> contextlib.AbstractContextManager[int]:
    """Return what gives how many jobs are run at once, and is open while they are."""
    if wanted.cluster is None:
        return contextlib.nullcontext(wanted.jobs or os.cpu_count() or 1)
    from iopermit.sweep.execution.cluster import cluster  # imports Ray

    return cluster(wanted.cluster, wanted.jobs, _MOST_JOBS)


def _executor(planned: SweepPlan, scratch: Path, wanted: _Wanted) -> JobExecutor:
    """Return what executes jobs. Raises SweepError if the cluster lacks what they need."""
    if wanted.cluster is None:
        from iopermit.sweep.execution.local import LocalExecutor  # only now needed

        return LocalExecutor(planned.checkouts)
    from iopermit.sweep.execution.cluster import ClusterExecutor, require_needs  # imports Ray
    from iopermit.sweep.execution.needs import needs_of

    require_needs(needs_of(planned.jobs, [scratch] if planned.checkouts else []))
    return ClusterExecutor(planned.checkouts)


def _scenario(definition: Definition, events: EventSet, numbers: Bounds) -> Scenario:
    """Return the scenario that a set of events and bounds of a description mean."""
    try:
        found = bounds.scenario([events.events], [events.without], *numbers)
    except BadInputError as error:
        known = f"events = {events.text!r} with cpus, tasks, longs = {numbers}"
        raise BadInputError(f"{definition.place('events')}: {known}: {error}") from error
    assert found is not None  # bounds are given
    return found


def _require_limits(definition: Definition) -> None:
    try:
        bounds.memory_size(definition.limits.max_memory)
    except BadInputError as error:
        raise BadInputError(f"{definition.place('limits')}: max-memory: {error}") from error


def _tell(job: SweptJob) -> None:
    from iopermit.report.sweep.text import told  # only now needed

    complain(f"iopermit: {told(job)}")


def _silent(_: SweptJob) -> None:
    pass


def _deliver(report: SweepReport, *, as_json: bool, html: Path | None, plot: Path | None) -> None:
    from iopermit.cli.delivery.show import as_text, columns, in_colour  # only now needed
    from iopermit.report.json import to_text
    from iopermit.report.sweep.json import sweep_json
    from iopermit.report.sweep.text import sweep_text

    if as_json:
        print_result(to_text(sweep_json(report)))
    else:
        text = as_text(sweep_text(report, columns()), colour=in_colour())
        print_result(text, styled=True)
    if html is not None:
        from iopermit.report.html.rendering import sweep_html  # imports Jinja
        from iopermit.report.html.sweep_page import sweep_page

        write_file(html, sweep_html(sweep_page(report)))
    if plot is not None:
        from iopermit.report.sweep.plot import sweep_plot  # imports matplotlib

        write_file(plot, sweep_plot(report))


def _status(report: SweepReport) -> ExitCode:
    outcomes = {job.outcome for job in report.jobs}
    if "violated" in outcomes:
        return ExitCode.VIOLATED
    return ExitCode.HOLDS if outcomes <= {"holds"} else ExitCode.UNDETERMINED
