"""Tests of iopermit.cli.parsing: what a command line says, and what is wrong with it."""

from pathlib import Path
from typing import Annotated, Any

import pytest

from iopermit.cli.app import VERBS, load
from iopermit.cli.parsing import Argument, HelpWanted, Option, UsageError, Verb


def _example(
    first: Annotated[str, Argument("FIRST")],
    others: Annotated[list[Path] | None, Argument("[OTHERS]...")] = None,
    *,
    number: Annotated[int, Option(least=1, most=9, about="")] = 3,
    real: Annotated[float | None, Option(least=0, about="")] = None,
    many: Annotated[list[str] | None, Option("--many", "-m", about="")] = None,
    quiet: Annotated[bool, Option("--quiet", "-q", about="")] = False,
) -> None:
    """Do nothing."""


def _parse(*words: str, passes_on: bool = False) -> dict[str, Any]:
    return Verb("example", _example, passes_on=passes_on).parse(list(words))


def test_options_may_stand_before_between_and_after_arguments() -> None:
    """Wherever an option stands, the arguments are what remains."""
    expected = _parse("a", "b", "c", "--number", "5", "-q")
    assert expected["first"] == "a"
    assert expected["others"] == [Path("b"), Path("c")]
    assert (expected["number"], expected["quiet"], expected["real"]) == (5, True, None)
    assert _parse("--number=5", "a", "-q", "b", "c") == expected
    assert _parse("-q", "a", "b", "--number", "5", "c") == expected


def test_repeatable_options_add_up() -> None:
    """A repeatable option gives all its values, in short form and in long form."""
    assert _parse("a", "-m", "x", "-my", "--many=z")["many"] == ["x", "y", "z"]
    assert _parse("a", "-qm", "x")["many"] == ["x"]


def test_what_follows_two_dashes_is_no_option() -> None:
    """Everything behind -- is an argument."""
    assert _parse("--", "-q", "--number")["others"] == [Path("--number")]


def test_a_verb_may_pass_on_what_follows_its_first_argument() -> None:
    """The options of a program that is to be run are not those of the verb."""
    values = _parse("-q", "program", "-m", "--help", passes_on=True)
    assert (values["first"], values["others"]) == ("program", [Path("-m"), Path("--help")])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing argument 'FIRST'."),
        (("a", "--numbre"), "No such option: --numbre; did you mean --number?"),
        (("a", "--number"), "Option '--number' requires an argument."),
        (("a", "--quiet=1"), "Option '--quiet' does not take a value."),
        (("a", "--number", "10"), "Invalid value for '--number': 10 is not in the range 1<=x<=9."),
        (("a", "--number", "1.5"), "Invalid value for '--number': '1.5' is not a valid integer."),
        (("a", "--real", "nan"), "Invalid value for '--real': nan is not in the range x>=0."),
        (("a", "--real", "x"), "Invalid value for '--real': 'x' is not a valid number."),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], message: str) -> None:
    """A wrong command line is refused with what is wrong and for which command."""
    with pytest.raises(UsageError, match=r".") as caught:
        _parse(*words)
    assert str(caught.value) == message
    assert caught.value.command == "iopermit example"


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_an_option_of_every_verb(word: str) -> None:
    """Asked for help, a verb does not look at the rest."""
    with pytest.raises(HelpWanted):
        _parse("--quiet", word, "--nonsense")


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_tells_what_its_options_are_about(name: str) -> None:
    """Every parameter of every verb is an option or argument; every option has an explanation."""
    verb = load(name)
    count = verb.function.__code__.co_argcount + verb.function.__code__.co_kwonlyargcount
    assert len(verb.parameters) == count
    assert all(option.declared.about for option in verb.options)
