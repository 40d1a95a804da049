"""The tables of events and hooks in the documents are those of the code."""

import pytest

from iopermit.system.events import EVENTS, Asked, Event
from tools import generate_events


@pytest.mark.parametrize("name", generate_events.TABLES)
def test_a_table_is_generated(name: str) -> None:
    """The table in the document is what the code has now (else: `make docs`)."""
    page = generate_events.TABLES[name][0].read_text(encoding="utf-8")
    assert generate_events.with_table(name, page) == page


def test_a_page_without_a_place_is_refused() -> None:
    """The generator does not write a table anywhere else."""
    with pytest.raises(ValueError, match="no place for the table of events"):
        generate_events.with_table("events", "text")


def test_a_new_row_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that was entered into the table is in the document's, with its set."""
    fresh = Event(name="nothing", meaning="Nothing happens.", asked=Asked.ALL)
    monkeypatch.setitem(EVENTS, fresh.name, fresh)
    assert "| `nothing` | all |  | Nothing happens. |" in generate_events.events()
