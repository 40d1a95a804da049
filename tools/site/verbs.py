"""The page about verbs and options, from the command line's own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer
from tools.generate_man import verbs_of

from iopermit.cli.app import command
from iopermit.cli.parser.examples import EXAMPLES
from iopermit.cli.parser.help import argument_rows, option_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.cli.parser.help import Parsed

_HEAD: Final = """\
# Verbs and options

What `iopermit VERB --help` prints, for every verb. The same is in the manual page `iopermit(1)`.
"""


def verbs_markdown() -> str:
    """Return the page in Markdown."""
    root = typer.main.get_command(command([]))
    context = root.make_context("iopermit", [], resilient_parsing=True)
    parts = [_HEAD]
    for name, verb in verbs_of(root, context):
        parts += _verb(name, verb, context)
    return "\n".join(parts)


def _verb(name: str, verb: Parsed, parent: Parsed) -> Iterator[str]:
    context: Any = verb.make_context(name, [], parent=parent, resilient_parsing=True)
    yield f"## iopermit {name}\n\n{(verb.help or '').strip()}\n"
    if arguments := argument_rows(verb, context):
        yield from _table("argument", arguments)
    for group, rows in option_rows(verb, context).items():
        yield f"**{group}**\n"
        yield from _table("option", rows)
    yield "**Examples**\n"
    for line, text in EXAMPLES[name.split(maxsplit=1)[0]]:
        yield f"{text}\n\n```console\n$ {line}\n```\n"


def _table(heading: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield f"| {heading} | meaning |\n| --- | --- |"
    for name, text in rows:
        shown = name.replace("|", r"\|")
        yield f"| `{shown}` | {text.replace('|', chr(92) + '|')} |"
    yield ""
