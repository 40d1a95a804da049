"""Tests of the record of planted faults, and of the page that is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.kernel.planted.corpus import CORPUS
from tests.support.kernel.planted.running import PlantedOutcome
from tests.support.kernel.trees import VERSIONS

from tools import generate_planted_faults as generator
from tools import planted_faults as tool

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.support.kernel.planted.fault import PlantedFault

NAMES = ("own-extent", "switch-out")


def outcome(kind: str = "leak", function: str = "tss_copy_io_bitmap") -> PlantedOutcome:
    """Return the outcome of a check."""
    return PlantedOutcome("6.12.1", "violated", kind, function, "a.c", "return;", "it", 5, 1.5)


def record(name: str, found: PlantedOutcome) -> tool.PlantedRecord:
    """Return a record that is about a fault as it is."""
    return tool.PlantedRecord("6.12", name, tool.digest(CORPUS[name]), found)


def test_every_record_is_about_a_fault_as_it_is_now() -> None:
    """Each is fresh (else: `make planted-faults`), and what it says is right."""
    records = tool.read()
    assert list(records) == [key for key in tool.every_key() if key in records]
    stale = [key for key, r in records.items() if r.digest != tool.digest(CORPUS[key[1]])]
    assert not stale
    assert not tool.wrong(records)


def test_enough_is_recorded() -> None:
    """In the newest tree far more than 45 faults were found."""
    newest = [r.outcome for (tree, _), r in tool.read().items() if tree == VERSIONS[-1]]
    assert len([outcome for outcome in newest if outcome.verdict == "violated"]) >= 80


def test_the_page_is_generated() -> None:
    """The page is what the records give (else: `make docs`)."""
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(tool.read())


def test_the_page_leaves_out_what_a_stale_record_says() -> None:
    """A fault that was changed has no verdict until it is planted again."""
    fresh, stale = record(NAMES[0], outcome()), record(NAMES[1], outcome("crash"))
    stale = tool.PlantedRecord(stale.tree, stale.fault, "another", stale.outcome)
    page = generator.page({("6.12", r.fault): r for r in (fresh, stale)})
    assert "| 6.12.1 | 1 | 0 | 0 | 0 |" in page
    assert "leak | `tss_copy_io_bitmap` | 2 |" in page
    assert "crash | `" not in page


def test_what_is_saved_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are written as a whole, in the order of the corpus, and read as they were."""
    monkeypatch.setattr(tool, "RECORDS", tmp_path / "it.json")
    assert tool.read() == {}
    made = {("6.12", name): record(name, outcome()) for name in NAMES}
    tool.save(dict(reversed(made.items())))
    assert tool.read() == made
    assert list(tool.read()) == [key for key in tool.every_key() if key in made]


def test_only_what_is_missing_is_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is repeated plants nothing; a name that is given is planted again."""
    planted: list[str] = []

    def found(fault: PlantedFault, _: str) -> PlantedOutcome:
        planted.append(fault.what)
        return outcome(min(fault.kinds), min(fault.functions, default=""))

    wanted = {name: CORPUS[name] for name in NAMES}
    monkeypatch.setattr(tool, "RECORDS", tmp_path / "it.json")
    monkeypatch.setattr(tool, "CORPUS", wanted)
    monkeypatch.setattr(tool, "outcome_of", found)
    command = ["planted_faults", "--tree", "6.12"]
    monkeypatch.setattr("sys.argv", command)
    assert (tool.main(), tool.main()) == (0, 0)
    monkeypatch.setattr("sys.argv", [*command, NAMES[0]])
    assert tool.main() == 0
    assert planted == [*(fault.what for fault in wanted.values()), wanted[NAMES[0]].what]


def test_a_wrong_verdict_ends_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that holds, or is blamed on another function, is told and recorded."""
    monkeypatch.setattr(tool, "RECORDS", tmp_path / "it.json")
    monkeypatch.setattr(tool, "outcome_of", lambda *_: outcome(function="elsewhere"))
    monkeypatch.setattr("sys.argv", ["planted_faults", "--tree", "6.12", NAMES[0]])
    assert tool.main() == 1
    assert list(tool.wrong(tool.read())) == [("6.12", NAMES[0])]
