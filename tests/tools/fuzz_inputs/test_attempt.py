"""Tests of tools.fuzz_inputs.attempt: what is wrong with an attempt is seen."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tools.fuzz_inputs.attempt import MEMORY, SECONDS, Attempt, Ended, fault_of, tried

from tools.fuzz_inputs import attempt as attempts

if TYPE_CHECKING:
    from pathlib import Path

WELL = Ended(2, "", "iopermit: error: a message\n", 0.1, 1 << 20, ())
PLAIN = Attempt(("list",))


def test_command_is_tried() -> None:
    """Output, errors and status are those of the command, in a directory with its files."""
    listed = tried(PLAIN)
    assert (listed.status, listed.errors, listed.left) == (0, "", ())
    assert "linux-5.4" in listed.output
    refused = tried(Attempt(("replay", "a.json"), files={"a.json": b"[1"}))
    assert refused.status == 2
    assert "a.json:1:3: not JSON" in refused.errors


@pytest.mark.parametrize("state", ["closed", "full"])
def test_streams_are_brought_into_their_states(state: str) -> None:
    """With standard output closed or full the command says so."""
    ended = tried(replace(PLAIN, streams=("open", state, "open")))
    assert ended.status == 2
    assert "cannot write to standard output" in ended.errors
    assert fault_of(PLAIN, ended) == ""


def test_stream_without_a_reader() -> None:
    """A pipe that nobody reads is no error."""
    ended = tried(replace(PLAIN, streams=("open", "unread", "open")))
    assert (ended.status, ended.output, ended.errors) == (0, "", "")


def test_signal_is_sent() -> None:
    """A signal comes at its time."""
    told = (signal.SIGTERM, 0.3)
    loop = ("run", "/bin/sh", "-c", "while :; do :; done")
    attempt = Attempt(loop, told=told)
    ended = tried(attempt)
    assert ended.status == 3
    assert fault_of(attempt, ended) == ""


def test_hang_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end is killed after its time, and is a fault."""
    monkeypatch.setattr(attempts, "SECONDS", 0.5)
    ended = tried(Attempt(("run", "/bin/sh", "-c", "while :; do :; done")))
    assert ended.status == -signal.SIGKILL
    assert fault_of(PLAIN, ended) == "hang"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"seconds": SECONDS + 1}, "hang"),
        ({"errors": "Traceback (most recent call last):\n"}, "traceback"),
        ({"status": 4}, "internal error"),
        ({"status": -signal.SIGSEGV}, "killed"),
        ({"status": 120}, "another status"),
        ({"errors": ""}, "no message"),
        ({"memory": MEMORY + 1}, "memory"),
        ({"errors": "a \x1b[31m"}, "the terminal is steered"),
        ({"left": (".iopermit-x1",)}, "half a file"),
        ({"changed": ("tree/Makefile",)}, "an input was changed"),
        ({"changed": ("cache/iopermit/x.o",)}, ""),
    ],
)
def test_fault_is_seen(change: dict[str, object], fault: str) -> None:
    """Each kind of fault is told from an attempt that ended well."""
    assert fault_of(PLAIN, replace(WELL, **change)) == fault  # type: ignore[arg-type]  # of any member


def test_what_lies_beside_an_attempt_is_made(tmp_path: Path) -> None:
    """Files in folders, links, pipes and variables are those that the attempt names."""
    attempt = Attempt(
        ("list",),
        files={"a/b": b"#!/bin/sh\n", "c": b"text"},
        links={"d/e": "../c"},
        pipes=("f",),
        environment={"XDG_CACHE_HOME": "{here}/cache"},
    )
    attempts.lay_out(attempt, tmp_path)
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "d/e").read_bytes() == b"text"
    assert (tmp_path / "f").is_fifo()
    ended = tried(attempt)
    assert (ended.status, ended.left, ended.changed) == (0, (), ())


def test_status_of_a_program_is_its_own() -> None:
    """Whatever a program ends with is right, but no fault of iopermit and no file of the host."""
    runs = replace(PLAIN, own_status=True)
    assert fault_of(runs, replace(WELL, status=4)) == ""
    assert fault_of(runs, replace(WELL, status=139)) == ""
    broken = replace(WELL, status=4, errors="iopermit: internal error: x\n")
    assert fault_of(runs, broken) == "internal error"
    assert fault_of(runs, replace(WELL, left=("file",))) == "a program wrote a file"


def test_verdict_that_is_known_must_be_given() -> None:
    """Where only some statuses can be right, the others are faults."""
    known = replace(PLAIN, statuses=frozenset({1}))
    assert fault_of(known, replace(WELL, status=1)) == ""
    assert fault_of(known, replace(WELL, status=0)) == "another status"


def test_attempt_is_shown_shortly() -> None:
    """A finding shows what is not as usual, and of a long file its beginning."""
    attempt = Attempt(("list",), files={"a": bytes(100_000)}, own_status=True)
    assert repr(PLAIN) == "Attempt(words=('list',))"
    assert repr(attempt).endswith("'}, own_status=True)")
    assert len(repr(attempt)) < 90_000
