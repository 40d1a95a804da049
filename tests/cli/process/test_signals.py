"""Tests of iopermit.cli.process.signals: whenever a signal comes, one message and status 3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import CRASHING, SMALL

from iopermit.cli.errors import explain
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.process.signals import ending_signals, ignore_signals
from iopermit.engine.interruption import SIGNALS

if TYPE_CHECKING:
    from pathlib import Path

MAIN = "import sys; from iopermit.cli import main; sys.exit(main())"
AT_CALL = """
import os, signal, sys
from iopermit.cli import main
def count(*_):
    global left
    left -= 1
    if not left:
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGTERM)
left = int(sys.argv.pop(1))
sys.settrace(count)
sys.exit(main())
"""
"""The command, which is told to end at one of its calls of Python functions."""
INTERRUPTED = "iopermit: interrupted before there was a result [interrupted]\n"
LONG = ("linux-6.16+preempt_off", "--cpus", "2", "--tasks", "3", "--longs", "2")
"""A scenario that is searched for minutes."""


def started(cwd: Path, *arguments: str, before: str = "") -> subprocess.Popen[str]:
    """Start iopermit in a process and a directory of its own."""
    return subprocess.Popen(
        ["/bin/sh", "-c", f'{before} exec "$@"', "sh", sys.executable, "-c", MAIN, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"TMPDIR": str(cwd)},
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_search_ends_with_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends a search as undetermined, and every output says so, whole."""
    process = started(tmp_path, "check", *LONG, "--json", "--save", "saved", "--sarif", "sarif")
    assert process.stderr is not None
    # A line with figures: it is in the middle of the search.
    assert any("states/s" in line for line in process.stderr)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    printed, saved = json.loads(out), json.loads((tmp_path / "saved").read_text())
    assert printed["verdict"] == "undetermined"
    # A saved file names the design from where it lies.
    assert saved | {"design": printed["design"]} == printed
    assert json.loads((tmp_path / "sarif").read_text())["version"] == "2.1.0"
    assert {file.name for file in tmp_path.iterdir()} == {"saved", "sarif"}


@pytest.mark.parametrize("number", SIGNALS)
def test_run_ends(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends a program that would go on for ever; its log is written up to then."""
    process = started(
        tmp_path, "run", "--io-log", "log", "/bin/sh", "-c", "echo ready; while :; do :; done"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, INTERRUPTED)
    assert {file.name for file in tmp_path.iterdir()} == {"log"}


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("cost", "--plot", "plot.svg"),
        ("compare", "linux-6.16", "-q"),
        ("export", "promela", "linux-5.4", "-o", "model"),
        ("check", CRASHING, *SMALL, "-q", "--save", "saved", "--junit", "junit"),
    ],
    ids=lambda words: words[0],
)
def test_any_time(tmp_path: Path, arguments: tuple[str, ...], delay: float) -> None:
    """At any time the status is the verdict's or 3, and no half of a file is left."""
    process = started(tmp_path, *arguments)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    # Before the command has begun the signal is the interpreter's.
    assert process.returncode in {0, 1, 3, -signal.SIGTERM}, err
    assert err in {"", INTERRUPTED}
    assert {file.name for file in tmp_path.iterdir()} <= {*arguments, "junit"}
    for file in tmp_path.iterdir():
        assert file.read_text().endswith(("\n", ">"))


def test_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """Under nohup a closed terminal ends nothing: the program goes on, up to its own status."""
    script = "echo ready; read line; echo $line; exit 7"
    process = started(tmp_path, "run", "/bin/sh", "-c", script, before='trap "" HUP;')
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    out, err = process.communicate("still there\n", timeout=60)
    assert (process.returncode, out, err) == (7, "still there\n", "")


def test_handlers_are_given_back() -> None:
    """What calls the command from Python has its own handlers afterwards."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with ending_signals(for_good=False):
        for number in SIGNALS:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        ignore_signals()
        for number in SIGNALS:
            signal.raise_signal(number)
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("call", [60, 500, 2_000, 5_000, 9_000, 14_000, 18_000])
def test_any_call(tmp_path: Path, call: int) -> None:
    """Whichever function a signal comes in, modules of Python included, one message says so."""
    words = [sys.executable, "-c", AT_CALL, str(call), "list"]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ran.returncode, ran.stderr) == (3, INTERRUPTED)
    assert not list(tmp_path.iterdir())


def test_lost_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    """A signal that comes while an object is given back is delivered once more."""

    class Told:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with ending_signals(for_good=False):
        _ = Told()
        del _
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
    assert capsys.readouterr() == ("", "")


def test_other_errors_that_are_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Any other error while an object is given back is shown as Python shows it."""

    class Faulty:
        def __del__(self) -> None:
            raise ValueError

    with ending_signals(for_good=False):
        _ = Faulty()
        del _
    assert "ValueError" in capsys.readouterr().err


def test_error_of_an_interruption(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What Python's own code makes of a signal is no internal error."""
    error = RuntimeError("release unlocked lock")
    error.__context__ = KeyboardInterrupt()
    assert explain(error, ["list"]) == ExitCode.UNDETERMINED
    assert capsys.readouterr().err == INTERRUPTED
    error.__context__ = error.__cause__ = ValueError()
    error.__context__.__context__ = error
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert explain(error, ["list"]) == ExitCode.INTERNAL_ERROR
    assert "internal error" in capsys.readouterr().err
