"""The command of the benchmarks works; what it measures is not judged here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_measures_the_smallest_model(
    require: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run prints every section, and writes the same figures as JSON and as a plot."""
    require("spin")
    require("gcc")
    data, figure = tmp_path / "performance.json", tmp_path / "performance.svg"
    assert main(["--tiny", "--json", str(data), "--plot", str(figure)]) == 0
    document = json.loads(data.read_text(encoding="utf-8"))
    (speed,) = document["speed"]
    assert speed["states"] > 1000
    assert speed["ratio"] >= 0  # 0 if pan takes less than its clock shows
    assert [row["verdict"] for row in document["growth"]] == ["holds", "holds"]
    assert {row["cpu"] for row in document["user_code"]} >= {"unicorn"}
    assert [row["design"] for row in document["switches"]] == ["linux-6.16"]
    assert all(row["seconds"] > 0 for row in document["program_start"])
    assert f"{speed['states']:,}" in capsys.readouterr().out
    assert figure.read_text(encoding="utf-8").startswith("<?xml")


def test_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without spin the command ends with one message that tells the remedy, and exit status 2."""
    monkeypatch.setenv("PATH", "")
    assert main(["--tiny"]) == 2
    error = capsys.readouterr().err
    assert "spin and gcc" in error
    assert "apt-get install" in error
