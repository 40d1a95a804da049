"""The command `iopermit` and its verbs, one module each, imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Annotated, Final

import typer

import iopermit
from iopermit.cli.errors import verb
from iopermit.cli.output import print_result
from iopermit.cli.parser.help import VerbCommand, VerbGroup

VERBS: Final = {
    "list": ("list_designs", "list_designs"),
    "check": ("check", "check_design"),
    "replay": ("replay", "replay_file"),
    "reproduce": ("reproduce.verb", "reproduce_file"),
    "certify": ("certify", "certify_file"),
    "compare": ("compare", "compare"),
    "cost": ("cost", "cost"),
    "sweep": ("sweep.verb", "sweep"),
    "explore": ("explore.verb", "explore"),
    "run": ("run", "run"),
    "export": ("export", "app"),
    "explain": ("codes.verb", "explain_code"),
    "cache": ("cache.verb", "cache"),
}
"""Module and function of each verb, or the app of its own verbs."""


def command(words: list[str]) -> typer.Typer:
    """Return the command with the verb that `words` begin with, or with all if they do not.

    A verb takes its time: importing its module, and looking at the annotations of its options.
    """
    app = typer.Typer(
        cls=VerbGroup,
        help="Check designs of how an x86 kernel maintains the TSS I/O permission bitmap.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    epilog = "Exit status: 0 holds, 1 violated, 2 bad input, 3 undetermined, 4 internal error."
    app.callback(epilog=epilog)(_iopermit)
    for name in [words[0]] if words and words[0] in VERBS else VERBS:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    module, attribute = VERBS[name]
    found = getattr(importlib.import_module(f"iopermit.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        # What follows the program that is to be run is the program's.
        settings = {"allow_interspersed_args": False} if name == "run" else None
        app.command(name, cls=VerbCommand, context_settings=settings)(verb(found))


def _show_version(wanted: bool) -> None:
    if wanted:
        print_result(f"iopermit {iopermit.__version__}\n")
        raise typer.Exit


def _iopermit(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Check designs of how an x86 kernel maintains the TSS I/O permission bitmap."""
