"""The text of --help: what a verb does, and its arguments and options."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Final

from iopermit.cli.parsing import Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.cli.parsing import Parameter, Verb

_WIDTH: Final = 78
_SHOW_HELP: Final = ("-h, --help", "Show this message and exit.")


def verb_help(verb: Verb) -> str:
    """Return the help of a verb."""
    given = "".join(f" {argument.names[0]}" for argument in verb.arguments)
    lines = [f"Usage: iopermit {verb.name} [OPTIONS]{given}", *_paragraphs(verb.function)]
    arguments = [(a.names[0], a.declared.about) for a in verb.arguments if a.declared.about]
    if arguments:
        lines += ["", "Arguments:", *_table(arguments)]
    options = [(_names(option), _about(option)) for option in verb.options]
    return "\n".join([*lines, "", "Options:", *_table([*options, _SHOW_HELP]), ""])


def commands_help(command: str, about: str, verbs: Iterable[tuple[str, str]], end: str = "") -> str:
    """Return the help of a command that has verbs, given with what each is about."""
    version = [("--version", "Show the version.")] if command == "iopermit" else []
    lines = [f"Usage: {command} [OPTIONS] COMMAND [ARGS]...", "", *_wrapped(about)]
    lines += ["", "Options:", *_table([*version, _SHOW_HELP]), "", "Commands:", *_table(verbs)]
    return "\n".join([*lines, *(["", *_wrapped(end)] if end else []), ""])


def _paragraphs(function: Callable[..., object]) -> list[str]:
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return [line for each in paragraphs for line in ("", *_wrapped(each))]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _names(option: Parameter) -> str:
    names = ", ".join(sorted(option.names, key=len))
    metavar = option.declared.metavar
    return f"{names} {metavar}" if metavar else names


def _about(option: Parameter) -> str:
    """Return what an option is about, with its default and range."""
    silent = option.default is None or option.kind is bool
    shown = [] if silent else [f"default: {option.default}"]
    if isinstance(option.declared, Option) and option.declared.range:
        shown.append(option.declared.range)
    return f"{option.declared.about}  [{'; '.join(shown)}]" if shown else option.declared.about


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return rows of two columns; the second is wrapped."""
    rows = list(rows)
    column = max(len(name) for name, _ in rows) + 4
    lines = []
    for name, about in rows:
        first, *others = textwrap.wrap(about, _WIDTH - column) or [""]
        lines.append(f"  {name:{column - 2}}{first}".rstrip())
        lines += [" " * column + line for line in others]
    return lines
