"""The command: portions go on where the last one stopped, and the exit status tells."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tools.fuzz_designs.generation.generate import generate
from tools.fuzz_designs.judging.outcome import Finding, Outcome

from tools.fuzz_designs import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pytest


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> int:
    """Run the command with its files in a folder."""
    monkeypatch.setattr(command, "FOLDER", folder)
    arguments = ["fuzz_designs", "--findings", str(folder / "findings.md"), *options]
    monkeypatch.setattr(sys, "argv", arguments)
    return command.main()


def judged_at_once(
    findings: dict[int, Finding], begun: list[int]
) -> Callable[..., Iterator[Outcome]]:
    """Return a pool that gives each index an outcome without judging anything."""

    def outcomes(
        _work: object, indices: Iterable[int], _jobs: int, seconds: float
    ) -> Iterator[Outcome]:
        for index in list(indices)[: int(min(seconds, 100))]:
            begun.append(index)
            found = [findings[index]] if index in findings else []
            yield Outcome(index, "", "holds", findings=found)

    return outcomes


def test_a_portion_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second portion judges only what the first one left, and both are added up."""
    begun: list[int] = []
    monkeypatch.setattr(command, "outcomes", judged_at_once({}, begun))
    assert run(monkeypatch, tmp_path, "-n", "5", "--seed", "9", "--seconds", "2") == 0
    assert "2 of 5 judged" in capsys.readouterr().out
    assert run(monkeypatch, tmp_path, "-n", "5", "--seed", "9") == 0
    assert begun == [0, 1, 2, 3, 4]
    assert "5 designs" in capsys.readouterr().out


def test_a_disagreement_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disagreement ends with status 1, also when a later portion judges nothing more."""
    finding = Finding("verdict", "all", "none: holds; all: violated")
    monkeypatch.setattr(command, "outcomes", judged_at_once({0: finding}, []))
    monkeypatch.setattr(command, "searched", lambda seed, outcome: generate(seed, outcome.index))
    options = ("-n", "1", "--seed", "9", "--shrink", "0")
    assert run(monkeypatch, tmp_path, *options) == 1
    assert "DISAGREES: verdict (all): 1" in capsys.readouterr().out
    text = (tmp_path / "findings.md").read_text(encoding="utf-8")
    assert generate(9, 0).source.strip() in text
    assert run(monkeypatch, tmp_path, *options) == 1


def test_a_fresh_seed_is_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a seed a fresh one is taken, and printed so that the designs can be made again."""
    monkeypatch.setattr(command, "outcomes", judged_at_once({}, []))
    seeds = set()
    for _ in range(2):
        assert run(monkeypatch, tmp_path, "-n", "1") == 0
        seeds.add(capsys.readouterr().out.splitlines()[0])
    assert len(seeds) == 2


def test_a_design_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--show prints the source of one design and how to check it."""
    assert run(monkeypatch, tmp_path, "--seed", "9", "--show", "3") == 0
    shown = capsys.readouterr().out
    case = generate(9, 3)
    assert case.source in shown
    assert case.command in shown
