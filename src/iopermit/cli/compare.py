"""`iopermit compare`: every design, variant and option under several sets of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from iopermit.cli import scenario as shared
from iopermit.cli.cost import Designs
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import Html, check_writable, print_result, write_file
from iopermit.cli.progress import shown

if TYPE_CHECKING:
    from iopermit.engine.comparison import Matrix
    from iopermit.engine.errors import ReplayError
    from iopermit.engine.ladder import Bounds


def compare(  # noqa: PLR0913 - one parameter per option
    designs: Designs = None,
    *,
    events: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIST",
            help="Columns: `plain`, `plain-without-preempt`, `all`, `all-without-preempt`, or "
            "some of them, separated by commas (all four). Repeatable: adds up.",
        ),
    ] = None,
    no_options: Annotated[
        bool, typer.Option("--no-options", help="No rows for the options of the designs.")
    ] = False,
    cpus: shared.Cpus = None,
    tasks: shared.Tasks = None,
    longs: shared.Longs = None,
    full: Annotated[
        bool, typer.Option("--full", help="Go on to 3 tasks: may take hours and much memory.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Find every kind of violation in the scenario.")
    ] = False,
    max_states: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Give up a scenario at this many states.")
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Give up a scenario at this much memory.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, callback=shared.seconds, help="Give up a scenario after this."
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, max=shared.MOST_THREADS, help="Threads of a search.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the matrix as JSON.")] = False,
    html: Html = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> ExitCode:
    """Search designs under several sets of events, and show the verdicts side by side.

    Scenarios grow from 1 CPU, 1 task, 1 long to 2 of each, until one shows a violation or
    reaches a limit; --cpus, --tasks or --longs fix one scenario. Only a design whose largest
    scenario was exhausted "holds". Exit status 1: some design is violated; 3: none is, but some
    verdict is undetermined; 4: a cell has an internal error.
    """
    from iopermit.designs import designs as known  # imports numpy
    from iopermit.translate.frontend.load import load_design  # as above

    if html is not None:
        check_writable(html)
    loaded = [load_design(name) for name in designs or known()]
    memory = shared.memory_size(max_memory)
    fixed = shared.scenario(None, None, cpus, tasks, longs)

    from iopermit.engine.ladder import COMPARISON_LADDER, FULL_COMPARISON_LADDER  # as above
    from iopermit.engine.limits import Limits  # as above
    from iopermit.report.compare import matrix_text  # as above
    from iopermit.report.compare_json import matrix_json  # as above
    from iopermit.report.json import to_text  # as above
    from iopermit.search import compare as search  # imports LLVM
    from iopermit.search.problem import Settings  # as above

    ladder: tuple[Bounds, ...] = FULL_COMPARISON_LADDER if full else COMPARISON_LADDER
    if fixed is not None:
        ladder = ((fixed.cpus, fixed.tasks, fixed.longs),)
    rows = list(search.subjects(loaded, options=not no_options))
    matrix = search.empty_matrix(rows, _event_sets(events), ladder[-1])
    limits = Limits(max_states, memory, timeout)
    with shown(quiet=quiet) as progress:
        settings = Settings(threads=threads, every=every)
        control = progress.control(limits)
        faults: list[ReplayError] = []
        search.compare(
            rows, matrix, ladder, settings=settings, control=control, failed=faults.append
        )
    print_result(to_text(matrix_json(matrix)) if as_json else matrix_text(matrix))
    if html is not None:
        from iopermit.report.html.matrix_page import matrix_page  # only now needed
        from iopermit.report.html.rendering import matrix_html  # imports Jinja

        write_file(html, matrix_html(matrix_page(matrix)))
    if faults:
        # The other cells are shown; what became of this one is to be reported.
        raise faults[0]
    return _exit_code(matrix)


def _event_sets(lists: Sequence[str] | None) -> list[str]:
    from iopermit.engine.comparison import event_sets  # only now needed

    known = event_sets()
    wanted = list(known) if lists is None else ",".join(lists).split(",")
    names = [name.strip() for name in wanted if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        wrong = f"there is no event set {unknown[0]!r}" if unknown else "no event set is named"
        raise BadInputError(f"{wrong}; the event sets: {', '.join(known)}")
    return list(dict.fromkeys(names))


def _exit_code(matrix: Matrix) -> ExitCode:
    outcomes = {cell.outcome for cells in matrix.values() for cell in cells.values()}
    if "violated" in outcomes:
        return ExitCode.VIOLATED
    return ExitCode.UNDETERMINED if "undetermined" in outcomes else ExitCode.HOLDS
