"""Tests of iopermit.cli.parser.help: options in groups, whole sentences, examples."""

import shlex
from typing import Any

import pytest
import typer
from tests.support.cli.command import run

from iopermit.cli.app import command
from iopermit.cli.parser.examples import EXAMPLES
from iopermit.cli.parser.groups import NAMES

ROOT: Any = typer.main.get_command(command([]))
VERBS = ["list", "check", "replay", "certify", "compare", "cost", "run", "export", "cache"]
VERBS += ["explain", "explore", "reproduce", "sweep"]


def help_of(capsys: pytest.CaptureFixture[str], *verb: str) -> str:
    """Return the help of a verb."""
    ran = run(capsys, *verb, "--help")
    assert (ran.status, ran.err) == (0, "")
    return ran.out


def test_the_options_of_check_stand_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    """Subject, scenario, limits, reductions and output have a group each, in this order."""
    lines = help_of(capsys, "check").splitlines()
    groups = [line.removesuffix(":") for line in lines if line.endswith(":") and line[0] != " "]
    assert groups == ["Arguments", *(n for n in NAMES if n not in ("Options", "Output")),
                      "Output", "Options", "Examples"]  # fmt: skip
    place = {line.split()[0]: number for number, line in enumerate(lines) if line.strip()}
    order = ["--kernel", "--events", "--timeout", "--no-merging", "--sarif", "-h,"]
    assert [place[option] for option in order] == sorted(place[option] for option in order)


@pytest.mark.parametrize("verb", VERBS)
def test_summaries_are_whole(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """In the list of the verbs each summary ends with its last word, and nothing is cut off."""
    words = " ".join(help_of(capsys).split())
    summary = " ".join((ROOT.commands[verb].help or "").partition("\n\n")[0].split())
    assert f" {verb} {summary}" in words
    assert "..." not in words.replace("[ARGS]...", "")


@pytest.mark.parametrize("columns", [60, 100, 200])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str, columns: int
) -> None:
    """No line of help is longer than the terminal, nor than 100 columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of(capsys, verb) if verb else help_of(capsys)
    assert max(map(len, text.splitlines())) <= min(columns, 100)


@pytest.mark.parametrize(
    ("verb", "usage"),
    [
        ("check", "Usage: iopermit check [OPTIONS] [DESIGN]"),
        ("replay", "Usage: iopermit replay [OPTIONS] FILE"),
        ("cost", "Usage: iopermit cost [OPTIONS] [DESIGN]..."),
        ("run", "Usage: iopermit run [OPTIONS] PROGRAM [ARGS]..."),
        ("cache", "Usage: iopermit cache [OPTIONS] [ACTION]"),
    ],
)
def test_usage_is_in_the_common_notation(
    capsys: pytest.CaptureFixture[str], verb: str, usage: str
) -> None:
    """Brackets stand for what can be left out, dots for what can be repeated."""
    assert help_of(capsys, verb).splitlines()[0] == usage


def test_every_verb_has_three_examples() -> None:
    """Each verb has three examples, which begin with it."""
    assert set(EXAMPLES) == set(VERBS) == set(ROOT.commands)
    assert all(len(examples) == 3 for examples in EXAMPLES.values())


@pytest.mark.parametrize("line", [line for each in EXAMPLES.values() for line, _ in each])
def test_an_example_is_a_command_that_the_parser_takes(line: str) -> None:
    """Every option of an example exists, with a value that it takes."""
    program, name, *rest = shlex.split(line.partition(" | ")[0])
    verb = ROOT.commands[name]
    while hasattr(verb, "commands"):
        verb = verb.commands[rest.pop(0)]
    assert program == "iopermit"
    assert verb.make_context(name, rest).params


def test_examples_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The help ends with the examples; one that is too long goes on in the next line."""
    text = help_of(capsys, "check")
    examples = text.partition("Examples:\n")[2]
    joined = " ".join(examples.replace("\\\n", " ").split())
    for line, what in EXAMPLES["check"]:
        assert f"$ {line} {what}" in joined
