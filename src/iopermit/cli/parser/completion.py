"""What a shell offers for the word under the cursor: ids of designs, names of events."""

from __future__ import annotations

from iopermit.system.events import askable_events


def designs_like(incomplete: str) -> list[tuple[str, str]]:
    """Return the designs whose id begins like a word, with their titles."""
    from iopermit.designs import designs  # imports every design

    return [
        (name, design.title) for name, design in designs().items() if name.startswith(incomplete)
    ]


def events_like(incomplete: str) -> list[str]:
    """Return the lists of events that go on from what is typed: its last name is completed."""
    before, comma, last = incomplete.rpartition(",")
    given = set(before.split(","))
    names = ["all", "plain", *(event.name for event in askable_events())]
    return [
        f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in given
    ]
