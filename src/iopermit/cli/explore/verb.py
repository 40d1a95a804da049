"""`iopermit explore DESIGN`: choose on a local page what happens next, and see the TSS."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.errors import BadInputError, explain
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import complain, print_result
from iopermit.cli.process.extras import require
from iopermit.engine.facts import about_design, about_scenario, concerning


def explore(  # noqa: PLR0913 - one parameter per option
    design: bounds.Design,
    *,
    option: bounds.Option = None,
    events: bounds.Events = None,
    without: bounds.Without = None,
    cpus: Annotated[int, typer.Option(metavar="N", help="CPUs.")] = 1,
    tasks: Annotated[int, typer.Option(metavar="N", help="Tasks alive at once.")] = 2,
    longs: Annotated[int, typer.Option(metavar="N", help="Longs of the port bitmap.")] = 2,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="TCP port; 0: any that is free.")
    ] = 0,
) -> ExitCode:
    """Serve a page on which you choose what happens next, until Ctrl-C.

    The page shows the TSS after each step. It can go back, search the shortest way to a violation
    from where you are, and save the schedule for `iopermit replay`. It is served to this machine
    only, under an address that is printed. Without --events: plain events.
    """
    require("web")
    scenario = bounds.scenario(events or ["plain"], without, cpus, tasks, longs)
    assert scenario is not None  # bounds are given
    options = tuple(option or ())

    from iopermit.translate.frontend.load import load_design  # imports every design

    loaded = load_design(design, options)

    from iopermit.explore.server import Server  # imports LLVM and Jinja
    from iopermit.explore.session import Session

    with concerning(lambda: about_design(loaded, options) | about_scenario(scenario)):
        session = Session(loaded, scenario, options)
        try:
            server = Server(session, port, lambda error: explain(error, sys.argv[1:]))
        except OSError as error:
            message = f"cannot serve on port {port}: {error.strerror}"
            raise BadInputError(message, "system-refused") from error
        with server:
            print_result(f"{server.address}\n")
            complain("iopermit: open this address in a browser of this machine; Ctrl-C ends it")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return ExitCode.HOLDS
    return ExitCode.HOLDS
