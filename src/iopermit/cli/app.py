"""The command `iopermit` and its verbs, one module each, imported when it is asked for."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Final

import iopermit
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.help import commands_help, verb_help
from iopermit.cli.output import complain, print_result
from iopermit.cli.parsing import HELP, HelpWanted, UsageError, Verb

if TYPE_CHECKING:
    from iopermit.cli.exit_codes import ProgramStatus

_ABOUT: Final = {
    "iopermit": "Check designs of how an x86 kernel maintains the TSS I/O permission bitmap.",
    "iopermit export": "Print a design's model in the language of another checker.",
}
_STATUSES: Final = (
    "Exit status: 0 holds, 1 violated, 2 bad input, 3 undetermined, 4 internal error."
)
VERBS: Final = {
    "list": ("list_designs", "list_designs"),
    "check": ("check", "check_design"),
    "replay": ("replay", "replay_file"),
    "compare": ("compare", "compare"),
    "cost": ("cost", "cost"),
    "run": ("run", "run"),
    "export promela": ("export", "promela"),
}
"""Module and function of each verb."""


def app(words: list[str]) -> ExitCode | ProgramStatus:
    """Do what a command line says. Raises UsageError, and what the verb raises."""
    verb, rest = _find(words)
    if verb is None:
        return _without_verb(words)
    try:
        values = verb.parse(rest)
    except HelpWanted:
        print_result(verb_help(verb))
        return ExitCode.HOLDS
    done: ExitCode | ProgramStatus = verb.function(**values)
    return done


def load(name: str) -> Verb:
    """Return a verb."""
    module, function = VERBS[name]
    found = getattr(importlib.import_module(f"iopermit.cli.{module}"), function)
    return Verb(name, found, passes_on=name == "run")


def _find(words: list[str]) -> tuple[Verb | None, list[str]]:
    """Return the verb that the first words name, and the words after it."""
    for count in (1, 2):
        name = " ".join(words[:count])
        if len(words) >= count and name in VERBS:
            return load(name), words[count:]
    return None, words


def _without_verb(words: list[str]) -> ExitCode:
    """Do what does not need a verb: show the version or help, or complain."""
    command = "iopermit"
    if words and f"{command} {words[0]}" in _ABOUT:
        command, words = f"{command} {words[0]}", words[1:]
    if words[:1] == ["--version"] and command == "iopermit":
        print_result(f"iopermit {iopermit.__version__}\n")
        return ExitCode.HOLDS
    if not words:
        complain(_commands(command).rstrip())
        return ExitCode.BAD_INPUT
    if words[0] in HELP:
        print_result(_commands(command))
        return ExitCode.HOLDS
    kind = "option:" if words[0].startswith("-") else "command"
    name = words[0] if words[0].startswith("-") else repr(words[0])
    raise UsageError(f"No such {kind} {name}", command)


def _commands(command: str) -> str:
    start = command.removeprefix("iopermit").strip()
    verbs: dict[str, str] = {}
    for name in VERBS:
        if not name.startswith(start):
            continue
        own = name.removeprefix(start).split()[0]
        group = _ABOUT.get(f"iopermit {own}")
        first_line, *_ = (inspect.getdoc(load(name).function) or "").splitlines()
        verbs[own] = first_line if group is None or start else group
    return commands_help(command, _ABOUT[command], verbs.items(), "" if start else _STATUSES)
