"""Tests of `iopermit explore`: an address, and a quiet end."""

from __future__ import annotations

import re
import signal
import socket
import urllib.request
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run, start

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended_and_leaves_nothing(
    number: signal.Signals, tmp_path: Path
) -> None:
    """The address is printed and answers; a signal ends it with status 0, and no file is left."""
    process = start("explore", "linux-v2-06", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - see the line above
        assert "Explore linux-v2-06" in answer.read().decode()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Ctrl-C ends it" in err
    assert "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program has ends the verb with one line and status 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = run(capsys, "explore", "linux-v2-06", "--port", port)
    assert ran.status == 2
    message = f"cannot serve on port {port}: Address already in use"
    assert ran.err == f"iopermit: error: {message} [system-refused]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such-design",), "no-such-design"),
        (("linux-v2-06", "--cpus", "0"), "1 to 4 CPUs, not 0"),
        (("linux-v2-06", "--events", "no-such-event"), "no-such-event"),
    ],
)
def test_what_cannot_be_explored_is_told(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A design, bounds or events that do not exist end the verb with a message and status 2."""
    ran = run(capsys, "explore", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err
