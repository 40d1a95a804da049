"""Tests of iopermit.cli.delivery.show: colour where it can be seen and is wanted."""

import sys

import pytest

from iopermit.cli.delivery.show import as_text, columns, in_colour
from iopermit.report.text import Line

LINES = [Line("BUG: [x]", "bold red"), Line(""), Line(" 1  plain")]


def test_plain_text_has_no_escapes() -> None:
    """Without colour the text is as it is, brackets included."""
    assert as_text(LINES, colour=False) == "BUG: [x]\n\n 1  plain\n"


def test_coloured_text_has_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """With colour there are escape sequences, and the words are the same."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = as_text(LINES, colour=True)
    assert text == "\x1b[1;31mBUG: [x]\x1b[0m\n\n 1  plain\n"


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_only_on_a_terminal_that_wants_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], colour: bool
) -> None:
    """Colour needs a terminal, no NO_COLOR (empty does not count), and no dumb terminal."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert in_colour() is colour


@pytest.mark.parametrize(
    ("terminal", "size", "columns_of_report"),
    [(True, 40, 60), (True, 60, 60), (True, 132, 132), (True, 300, 200), (False, 60, 100)],
)
def test_a_report_is_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, size: int, columns_of_report: int
) -> None:
    """A report has 60 to 200 columns, as the terminal has, and 100 where there is none."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", str(size))
    assert columns() == columns_of_report
