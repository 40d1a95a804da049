"""What verbs look like on terminals of several widths, without colours, and in a pipe.

The files in tests/data/terminal are what was looked at. IOPERMIT_UPDATE=1 writes them anew.
"""

import functools
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Final

import pytest

DATA: Final = Path(__file__).parents[1] / "data" / "terminal"
COMMAND: Final = "import sys; from iopermit.cli import main; sys.exit(main())"
LEAK: Final = ("check", "linux-v2-06")
LABEL: Final = 17
"""Columns before the text of the longest label, behind which a statement may stand."""
CASES: Final = {
    "check": LEAK,
    "steps": ("check", "linux-060aa16f", "--steps", "--cpus", "1", "--tasks", "1", "--longs", "1"),
    "holds": ("check", "linux-6.16", "--cpus", "1", "--tasks", "1", "--longs", "1"),
    "help": ("--help",),
    "help-check": ("check", "--help"),
}


def environment(**more: str) -> dict[str, str]:
    """Return the environment of the tests without what terminals set, with other variables."""
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    return inherited | {"TERM": "xterm-256color"} | more


@functools.cache
def on_terminal(columns: int, *arguments: str, **more: str) -> str:
    """Return what iopermit writes to a terminal of so many columns; progress goes elsewhere."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, columns))
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env=environment(**more),
    ):
        os.close(follower)
        seen = b""
        while part := _read(leader):
            seen += part
    os.close(leader)
    return seen.decode().replace("\r\n", "\n")


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 1 << 16)
    except OSError:  # The other end is closed.
        return b""


def in_pipe(*arguments: str, **more: str) -> str:
    """Return what iopermit writes to a pipe."""
    ran = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**more),
    )
    return ran.stdout


def stable(text: str) -> str:
    """Return text without durations, and with escape sequences that can be read."""
    return re.sub(r"\b\d+\.\d s\b", "N.N s", text).replace("\x1b", "^[")


def compare(name: str, text: str) -> None:
    """Compare text with what is kept, or keep it."""
    file = DATA / f"{name}.txt"
    if os.environ.get("IOPERMIT_UPDATE") == "1":
        DATA.mkdir(exist_ok=True)
        file.write_text(stable(text), encoding="utf-8")
    assert stable(text) == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [60, 100, 200])
@pytest.mark.parametrize("name", CASES)
def test_a_terminal_shows_what_was_looked_at(name: str, columns: int) -> None:
    """On a terminal a verb looks as it did; only a word that has no room makes a line longer."""
    text = on_terminal(columns, *CASES[name])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    long = [line for line in plain.splitlines() if len(line) > columns]
    assert all(len(line.split()[-1]) > columns - LABEL for line in long), long
    compare(f"{name}-{columns}", text)


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_the_words_are_the_same(variable: dict[str, str]) -> None:
    """With NO_COLOR, and on a dumb terminal, there is the same text without any escape."""
    coloured, plain = on_terminal(100, *LEAK), on_terminal(100, *LEAK, **variable)
    assert "\x1b" in coloured
    assert "\x1b" not in plain
    assert stable(re.sub(r"\x1b\[[0-9;]*m", "", coloured)) == stable(plain)


@pytest.mark.parametrize("columns", ["40", "300"])
def test_a_pipe_is_always_the_same(columns: str) -> None:
    """In a pipe a report has 100 columns and no colours, whatever the terminal's width is."""
    assert stable(in_pipe(*LEAK, COLUMNS=columns)) == stable(on_terminal(100, *LEAK, NO_COLOR="1"))


def test_very_narrow_and_very_wide_terminals() -> None:
    """Below 60 columns a report has 60, beyond 200 it has 200."""
    narrow, wide = (on_terminal(columns, *LEAK, NO_COLOR="1") for columns in (40, 300))
    assert stable(narrow) == stable(on_terminal(60, *LEAK, NO_COLOR="1"))
    assert stable(wide) == stable(on_terminal(200, *LEAK, NO_COLOR="1"))
