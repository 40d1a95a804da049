"""The command `iopermit` and its verbs, one module each."""

from __future__ import annotations

from typing import Annotated

import typer

import iopermit
from iopermit.cli import check, compare, cost, export, list_designs, replay, run
from iopermit.cli.output import print_result

app = typer.Typer(
    help="Check designs of how an x86 kernel maintains the TSS I/O permission bitmap.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print_result(f"iopermit {iopermit.__version__}\n")
        raise typer.Exit


@app.callback(
    epilog="Exit status: 0 holds, 1 violated, 2 bad input, 3 undetermined, 4 internal error."
)
def _iopermit(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Check designs of how an x86 kernel maintains the TSS I/O permission bitmap."""


app.command("list")(list_designs.list_designs)
app.command("check")(check.check_design)
app.command("replay")(replay.replay_file)
app.command("compare")(compare.compare)
app.command("cost")(cost.cost)
app.command("run", context_settings={"allow_interspersed_args": False})(run.run)
app.add_typer(export.app, name="export")
