"""Tests of the record of what a solver says of the shipped designs' obligations."""

import json
from pathlib import Path

import pytest

from iopermit.designs import designs, find
from iopermit.engine.certificate import source_digest
from iopermit.system.design import Design
from iopermit.system.events import event_named

tool = pytest.importorskip("tools.obligations", reason="needs z3")
discharge = pytest.importorskip("iopermit.translate.obligations.discharge", reason="needs z3")


def test_every_record_is_about_a_design_as_it_is_now() -> None:
    """Each is about a design and its merging as they are (else: `make obligations`); none fails."""
    records = tool.read()
    assert records
    assert [name for name in designs() if name in records] == list(records)
    for name, record in records.items():
        assert tool.is_fresh(record, find(name)), name
        assert record.failures == []
        assert record.asked["symmetry"] > 0


def test_the_events_are_events() -> None:
    """The scenario names events that there are, so that a new one changes no record."""
    assert len({event_named(name) for name in tool.EVENTS}) == len(tool.EVENTS)


def test_what_is_saved_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are written as a whole, in the order of the designs, and read as they were."""
    monkeypatch.setattr(tool, "RECORDS", tmp_path / "it.json")
    assert tool.read() == {}
    made = {
        name: tool.Record(name, "0", "1", {"symmetry": 2}, 3, [], 0.5)
        for name in ("linux-2.6.8", "linux-2.4.20")
    }
    tool.save(made)
    assert tool.read() == made
    names = [each["design"] for each in json.loads(tool.RECORDS.read_text(encoding="utf-8"))]
    assert names == ["linux-2.4.20", "linux-2.6.8"]


def test_a_failing_obligation_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record names the reduction and what fails, with how many were asked."""
    part = discharge.Discharged("symmetry", "--no-symmetry", 7, 1, ("tasks",))
    monkeypatch.setattr(tool, "discharge", lambda *_: iter([part]))
    record = tool.discharged("linux-2.4.20", find("linux-2.4.20"))
    assert (record.asked, record.apart, record.failures) == (
        {"symmetry": 7},
        1,
        ["symmetry: tasks"],
    )


def test_designs_with_one_model_are_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of a model holds for another design that becomes the same one."""
    asked: list[str] = []

    def answered(name: str, design: type[Design]) -> object:
        asked.append(name)
        model = tool.model_of(design)
        what = tool.subject(model, tuple(tool.assumptions(model)))
        return tool.Record(name, source_digest(design), what, {"symmetry": 2}, 3, [], 0.5)

    monkeypatch.setattr(tool, "RECORDS", tmp_path / "it.json")
    monkeypatch.setattr(tool, "discharged", answered)
    both = ["linux-5.7", "linux-5.8"]
    monkeypatch.setattr("sys.argv", ["obligations", *both])
    assert tool.main() == 0
    assert asked == both[:1]
    assert {name: record.design for name, record in tool.read().items()} == {n: n for n in both}
    assert all(tool.is_fresh(record, find(name)) for name, record in tool.read().items())
