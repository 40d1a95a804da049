"""The help of the command and its verbs: options in groups, whole sentences, examples."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from typer.core import TyperCommand, TyperGroup

from iopermit.cli.parser.examples import EXAMPLES
from iopermit.cli.parser.groups import group_of, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

Parsed: TypeAlias = Any
"""A command, parameter or context of click; later versions of typer have a copy of click inside."""
Row = tuple[str, str]


class _Formatter(Protocol):
    """What is needed of click's formatter, which later versions of typer have inside."""

    width: int

    def write(self, string: str) -> None: ...
    def section(self, name: str) -> AbstractContextManager[None]: ...
    def write_dl(self, rows: Sequence[Row]) -> None: ...


def usage_name(argument: Parsed) -> str:
    """Return how an argument stands in the line of usage: ``NAME``, ``[NAME]``, ``[NAME]...``."""
    name = str(argument.metavar or argument.name.upper())
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs != 1 else "")


def option_rows(command: Parsed, context: Parsed) -> dict[str, list[Row]]:
    """Return the options of a command with their help, by groups in their order."""
    rows: dict[str, list[Row]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.param_type_name == "option":
            longest = max(parameter.opts, key=len)
            rows.setdefault(group_of(longest), []).append(record)
    return {group: rows[group] for group in ordered(set(rows))}


def argument_rows(command: Parsed, context: Parsed) -> list[Row]:
    """Return the arguments of a command with their help."""
    return [
        (usage_name(parameter), parameter.help or "")
        for parameter in command.get_params(context)
        if parameter.param_type_name == "argument"
    ]


def summary(command: Parsed) -> str:
    """Return what a command does: the first paragraph of its help."""
    return " ".join((command.help or "").strip().partition("\n\n")[0].split())


def _usage_pieces(command: Parsed, context: Parsed) -> Iterator[str]:
    yield command.options_metavar
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            yield usage_name(parameter)


def _write_options(command: Parsed, context: Parsed, formatter: _Formatter) -> None:
    if arguments := argument_rows(command, context):
        with formatter.section("Arguments"):
            formatter.write_dl(arguments)
    for group, rows in option_rows(command, context).items():
        with formatter.section(group):
            formatter.write_dl(rows)


def _shell(command: str, width: int) -> list[str]:
    """Return the lines of a command, as a shell can read them."""
    first, *others = textwrap.wrap(
        command, width - 6, break_on_hyphens=False, break_long_words=False
    )
    lines = [f"  $ {first}", *(f"      {line}" for line in others)]
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


class VerbCommand(TyperCommand):
    """A verb, whose help has its options in groups and ends with examples."""

    def collect_usage_pieces(self, ctx: Parsed) -> list[str]:
        """Return the line of usage: options, then arguments."""
        return list(_usage_pieces(self, ctx))

    def format_options(self, ctx: Parsed, formatter: _Formatter) -> None:
        """Write arguments and options."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Parsed, formatter: _Formatter) -> None:
        """Write the examples of the verb, with what each does."""
        verb = ctx.command_path.split()[1]
        with formatter.section("Examples"):
            for command, text in EXAMPLES[verb]:
                formatter.write("".join(f"{line}\n" for line in _shell(command, formatter.width)))
                formatter.write(textwrap.indent(textwrap.fill(text, formatter.width - 6), " " * 6))
                formatter.write("\n")


class VerbGroup(TyperGroup):
    """The command, or a verb with verbs of its own."""

    def format_options(self, ctx: Parsed, formatter: _Formatter) -> None:
        """Write the verbs, each with its whole summary, then the options."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(verb)) for name, verb in verbs if verb is not None])
        _write_options(self, ctx, formatter)
