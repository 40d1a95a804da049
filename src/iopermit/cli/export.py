"""`iopermit export`: print a model, or a schedule, in the language of another checker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.errors import verb
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import check_writable, print_result, write_file
from iopermit.cli.parser.help import VerbCommand, VerbGroup
from iopermit.engine.facts import about_design, about_scenario, concerning
from iopermit.system.scenario import Scenario

app = typer.Typer(
    cls=VerbGroup,
    help="Print a model, or a schedule, in the language of another checker.",
    no_args_is_help=True,
)


@app.callback()
def _export() -> None:
    """Print a model, or a schedule, in the language of another checker."""


OutputFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
]


@app.command(cls=VerbCommand)
@verb
def promela(  # noqa: PLR0913 - one parameter per option
    design: bounds.Design,
    *,
    events: bounds.Events = None,
    without: bounds.Without = None,
    cpus: bounds.Cpus = None,
    tasks: bounds.Tasks = None,
    longs: bounds.Longs = None,
    option: bounds.Option = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an object with the model as a string.")
    ] = False,
    output: OutputFile = None,
) -> ExitCode:
    """Print the model as Promela, the language of Spin."""
    from iopermit.report.json import scenario_json, to_text  # takes its time
    from iopermit.translate.frontend.load import load_design
    from iopermit.translate.model.initial_state import initial_values
    from iopermit.translate.promela.export import export
    from iopermit.translate.translation import translate

    if output is not None:
        check_writable(output)
    scenario = bounds.scenario(events, without, cpus, tasks, longs) or Scenario()
    loaded = load_design(design, tuple(option or ()))
    with concerning(lambda: about_design(loaded) | about_scenario(scenario)):
        model = translate(loaded, scenario)
        text = export(model, initial_values(scenario, model))
    if as_json:
        promela_object = {
            "subject": loaded.id,
            "scenario": scenario_json(scenario),
            "promela": text,
        }
        text = to_text({"schema": "iopermit/promela/1", **promela_object})
    print_result(text) if output is None else write_file(output, text)
    return ExitCode.HOLDS


@app.command(cls=VerbCommand)
@verb
def itf(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What `check --save FILE` wrote.", show_default=False),
    ],
    *,
    output: OutputFile = None,
) -> ExitCode:
    """Print a saved schedule in the Informal Trace Format of Apalache and Quint, which is JSON."""
    from iopermit.cli.replay import read_saved  # imports the designs
    from iopermit.report.json import to_text
    from iopermit.report.messages.itf import itf_trace

    if output is not None:
        check_writable(output)
    text = to_text(itf_trace(read_saved(file)))
    print_result(text) if output is None else write_file(output, text)
    return ExitCode.HOLDS
