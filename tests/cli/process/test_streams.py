"""Tests of iopermit.cli.process.streams: closed and full streams, and what steers a terminal."""

from __future__ import annotations

import inspect
import json
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.cli.command import CRASHING, SMALL, run

from iopermit.cli.process.streams import printable
from iopermit.designs import find

MAIN = "import sys; from iopermit.cli import main; sys.exit(main())"
FULL = Path("/dev/full")
needs_dev_full = pytest.mark.skipif(not FULL.exists(), reason="needs the device /dev/full")
CHECK = ("check", CRASHING, *SMALL, "--quiet")
"""Ends with status 1: violated."""


def redirected(
    redirection: str, *arguments: object, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run iopermit as a shell does with redirections."""
    words = [sys.executable, "-c", MAIN, *map(str, arguments)]
    shell = ["/bin/sh", "-c", f"exec {shlex.join(words)} {redirection}"]
    return subprocess.run(shell, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize("arguments", [("check", "no-such-design"), ("frob",), ("replay", "no")])
def test_message_has_nowhere_to_go(redirection: str, arguments: tuple[str, ...]) -> None:
    """Bad input has status 2 whether or not its message can be printed."""
    assert redirected(redirection, *arguments).returncode == 2


@pytest.mark.parametrize("arguments", [("list",), ("--help",), ("--version",), CHECK])
def test_standard_output_is_closed(arguments: tuple[str, ...]) -> None:
    """A result that has nowhere to go gives one message and status 2."""
    ran = redirected(">&-", *arguments)
    assert ran.returncode == 2
    assert (
        ran.stderr
        == "iopermit: error: cannot write to standard output: it is closed [cannot-write]\n"
    )


@pytest.mark.parametrize("redirection", ["<&-", "2>&-", "<&- 2>&-"])
def test_verdict_does_not_depend_on_other_streams(redirection: str) -> None:
    """The status is that of the verdict with standard input and error closed."""
    ran = redirected(redirection, *CHECK)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("BUG: ")


def test_files_are_written_without_any_stream(tmp_path: Path) -> None:
    """With every stream closed the files are written all the same, and nothing but their text."""
    ran = redirected("<&- >&- 2>&-", *CHECK, "--save", "verdict.json", "--junit", "j", cwd=tmp_path)
    assert ran.returncode == 2
    assert json.loads((tmp_path / "verdict.json").read_text())["verdict"] == "violated"
    assert ET.parse(tmp_path / "j").getroot().tag == "testsuites"  # noqa: S314 - written just now


@needs_dev_full
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_diagnostics_of_a_run_are_dropped(redirection: str) -> None:
    """`run --strace` goes on where its lines cannot be written, and so does the program."""
    ran = redirected(redirection, "run", "--strace", "/bin/echo", "hello")
    assert (ran.returncode, ran.stdout) == (0, "hello\n")


ESCAPES = "\x1b]0;title\x07\x1b[31m\x7f\x9b\u202e"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", ESCAPES),
        ("check", f"{ESCAPES}.py"),
        ("check", f"{CRASHING}", "--option", ESCAPES),
        ("check", CRASHING, "--events", ESCAPES),
        ("check", CRASHING, "--max-memory", ESCAPES),
        ("check", "--kernel", ESCAPES),
        ("check", CRASHING, "--save", f"/no/{ESCAPES}"),
        ("replay", ESCAPES),
        ("certify", ESCAPES),
        ("compare", CRASHING, "--events", ESCAPES),
        ("cost", ESCAPES),
        ("export", "promela", ESCAPES),
        ("run", f"./{ESCAPES}"),
        (ESCAPES,),
        ("list", f"--{ESCAPES}"),
    ],
    ids=repr,
)
def test_message_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Control characters of what the user names are shown as escapes."""
    ran = run(capsys, *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert not set(ESCAPES) - set("]0;title[31m") & set(ran.err)
    assert "title" in ran.err


def test_report_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Reports in every form have escapes for the control characters of a file's name."""
    folder = tmp_path / f"{ESCAPES}\n"
    folder.mkdir()
    design = folder / "design.py"
    lines = Path(inspect.getfile(find(CRASHING))).read_text().splitlines()
    # A statement that reports show has a comment that steers the terminal.
    marked = [f"{line}  # \x1b[31m" if " = " in line else line for line in lines]
    design.write_text("\n".join(marked))
    junit, sarif, save = (tmp_path / name for name in ("junit", "sarif", "save"))
    ran = run(
        capsys,
        "check",
        f"{design}:{CRASHING}",
        *SMALL,
        "--steps",
        "--junit",
        junit,
        "--sarif",
        sarif,
        "--save",
        save,
        "--all",
    )
    assert ran.status == 1, ran.err
    assert "\\x1b[31m" in ran.out
    for text in (ran.out, ran.err, junit.read_text(), sarif.read_text(), save.read_text()):
        assert not set("\x1b\x07\x9b") & set(text)
    assert len(ET.parse(junit).getroot()) == 1  # noqa: S314 - written just now


def test_saved_names_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The subject of a saved verdict is shown with escapes by every form of a replay."""
    file = tmp_path / "verdict.json"
    assert run(capsys, *CHECK, "--save", file).status == 1
    saved = json.loads(file.read_text())
    saved["subject"] = ESCAPES
    file.write_text(json.dumps(saved))
    for form in ((), ("--json",), ("--steps",)):
        ran = run(capsys, "replay", file, *form)
        assert ran.status == 1
        assert not set("\x1b\x07\x9b\u202e") & set(ran.out)
        assert "title" in ran.out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Grüße, 你好", "Grüße, 你好"),
        ("\x1b[31m\r\x00\x7f", "\\x1b[31m\\x0d\\x00\\x7f"),
        ("\x9b \u202e \u2028 \ud800", "\\x9b \\u202e \\u2028 \\ud800"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """What steers a terminal becomes an escape; letters of every language stay."""
    assert printable(text) == shown
