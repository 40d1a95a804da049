"""`iopermit cost`: what designs do on switches, ioperm() and fork, counted at full size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import check_writable, print_result, write_file

Designs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DESIGN]...",
        help="Ids (see `iopermit list`), FILE.py, or FILE.py:CLASS; every known design if none.",
        show_default=False,
    ),
]


def cost(
    designs: Designs = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the costs as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw a bar chart, as SVG.")
    ] = None,
) -> ExitCode:
    """Count what designs write to the TSS, read of bitmaps, and reload.

    The hooks run at full size, with two users of a port map and an ordinary task on one CPU.
    """
    from iopermit.designs import designs as known  # noqa: PLC0415 - imports numpy
    from iopermit.report.cost import cost_json, cost_text  # noqa: PLC0415 - as above
    from iopermit.report.json import to_text  # noqa: PLC0415 - as above
    from iopermit.system.cost import costs_of  # noqa: PLC0415 - as above
    from iopermit.translate.load import load_design  # noqa: PLC0415 - as above

    if plot is not None:
        check_writable(plot)
    loaded = [load_design(name) for name in designs or known()]
    costs = {design.id: costs_of(design) for design in loaded}
    print_result(to_text(cost_json(costs)) if as_json else cost_text(costs))
    if plot is not None:
        from iopermit.report.cost_plot import plot as draw  # noqa: PLC0415 - imports matplotlib

        write_file(plot, draw(costs))
    return ExitCode.HOLDS
