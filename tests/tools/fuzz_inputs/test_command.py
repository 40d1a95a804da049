"""Tests of tools.fuzz_inputs.command: inputs are counted, faults are found and shrunk."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt, Ended
from tools.fuzz_inputs.entries import ENTRIES

from tools.fuzz_inputs import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tools.fuzz_designs.judging.outcome import Outcome


def ended_with(status: int) -> Ended:
    """Return how an attempt ends with a status and a message."""
    return Ended(status, "", "iopermit: error: a message\n", 0.0, 1 << 20, ())


@pytest.mark.parametrize("entry", ENTRIES)
def test_portion_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """A seed and a number name the same twenty attempts, and another number others."""
    seen: list[Attempt] = []

    def note(attempt: Attempt) -> Ended:
        seen.append(attempt)
        return ended_with(max(attempt.statuses - {3}))

    monkeypatch.setattr(command, "tried", note)
    portions = []
    for index in (3, 3, 4):
        seen.clear()
        outcome = command.judged(index, entry=entry, number=7)
        assert outcome.findings == []
        assert outcome.states == len(seen) > 1
        portions.append(list(seen))
    assert portions[0] == portions[1] != portions[2]


def test_fault_is_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what fails the smallest attempt is reported that fails in the same way."""
    numbers = st.lists(st.integers(0, 99), min_size=1).map(
        lambda some: Attempt(tuple(map(str, some)))
    )
    monkeypatch.setitem(ENTRIES, "numbers", lambda: numbers)
    monkeypatch.setattr(
        command, "tried", lambda a: ended_with(4 if any(int(word) > 40 for word in a.words) else 0)
    )
    outcome = command.judged(0, entry="numbers", number=1)
    (finding,) = outcome.findings
    assert finding.configuration == "internal error"
    assert "words=('41',)" in finding.text


def test_summary_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary has all inputs by their statuses, and each kind of fault."""
    monkeypatch.setattr(command, "tried", lambda _: ended_with(2))
    well = command.judged(0, entry="arguments", number=1)
    monkeypatch.setattr(command, "tried", lambda _: ended_with(4))
    failing = command.judged(1, entry="arguments", number=1)
    text = command.summary("arguments", [well, failing])
    assert f"arguments: {well.states + 1} inputs" in text
    assert f"{well.states} with status 2" in text
    assert "FAILS: internal error: 1" in text


def test_command_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A second run of the same seed tries nothing again, and says what the first found."""
    begun: list[int] = []

    def here(work: Callable[[int], Outcome], missing: list[int], *_: object) -> Iterator[Outcome]:
        for index in missing:
            begun.append(index)
            yield work(index)

    monkeypatch.setattr(command, "FOLDER", tmp_path)
    monkeypatch.setattr(command, "outcomes", here)
    monkeypatch.setattr(command, "tried", lambda _: ended_with(2))
    monkeypatch.setattr(sys, "argv", ["fuzz", "arguments", "-n", "40", "--seed", "3"])
    assert command.main() == 0
    first = capsys.readouterr().out
    assert first.startswith("seed 3\narguments: ")
    assert command.main() == 0
    assert (capsys.readouterr().out, begun) == (first, [0, 1])
