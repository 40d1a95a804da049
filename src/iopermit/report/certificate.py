"""What checking a certificate came to, as text and JSON; those verified, for the documentation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from iopermit.designs import designs
from iopermit.engine.certificate import source_digest
from iopermit.report.compare import short
from iopermit.report.json import scenario_json
from iopermit.system.events import all_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from iopermit.certify.checker import Certified

SCHEMA: Final = "iopermit/certify/1"
RECORDS_SCHEMA: Final = "iopermit/certificates/1"
"""Versions of the formats; another number means that a reader has to change."""

_NAMES: Final = {
    "symmetry": "names of tasks, CPUs and heap objects",
    "counters": "values of sequence numbers",
}


def certified_text(result: Certified, *, short: bool = False) -> str:
    """Return what was found, for people; ``short``: the headline only."""
    header, scenario = result.header, result.scenario
    options = "".join(f" --option {option}" for option in header.options)
    names = sorted(event.name for event in scenario.events)
    events = "all events" if scenario.events == all_events() else ", ".join(names)
    subject = f"{header.design}{options} ({scenario.size}; {events})"
    if result.refutation:
        where = f" (state {result.member} of the file)" if result.member >= 0 else ""
        return f"REFUTED: {subject}: {result.refutation}{where}\n"
    if result.limit:
        return f"UNDETERMINED: {subject}: {result.limit}\n"
    lines = [f"VERIFIED: {subject}"]
    if not short:
        ignored = " and ".join(_NAMES[name] for name in header.reductions)
        apart = f"; {ignored} do not matter" if ignored else ""
        lines += [
            f"  the initial state is among {result.members:,} states{apart}",
            f"  each of their {result.transitions:,} transitions leads to one of them",
            "  none of them violates the specification",
            f"  {result.seconds:.1f} s, {result.processes} process{'es' * (result.processes > 1)}",
        ]
    return "\n".join(lines) + "\n"


def certified_json(result: Certified) -> dict[str, Any]:
    """Return what was found as an object of JSON."""
    header = result.header
    return {
        "schema": SCHEMA,
        "result": "verified" if result.verified else "undetermined" if result.limit else "refuted",
        "reason": result.refutation or result.limit,
        "state": result.member if result.member >= 0 else None,
        "design": {
            "name": header.design,
            "class": header.design_class,
            "options": list(header.options),
            "source": header.source,
        },
        "scenario": scenario_json(result.scenario),
        "reductions": list(header.reductions),
        "states": header.states,
        "members": result.members,
        "transitions": result.transitions,
        "seconds": round(result.seconds, 3),
        "processes": result.processes,
    }


_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True)
class CertifiedRecord:
    """A certificate that was verified, for the documentation."""

    subject: str
    """A row of the matrix."""
    events: str
    """A column of it."""
    bounds: tuple[int, int, int]
    """CPUs, tasks, longs."""
    source: str
    """The digest of the design's source text."""
    states: int
    transitions: int
    size: int
    """Of the file, in bytes."""
    search_seconds: float
    certify_seconds: float
    processes: int

    @property
    def key(self) -> tuple[str, str, tuple[int, int, int]]:
        """What it certifies."""
        return self.subject, self.events, self.bounds


def read_records(file: Path) -> list[CertifiedRecord]:
    """Return what is recorded in a file; nothing if there is none."""
    if not file.exists():
        return []
    saved = json.loads(file.read_text(encoding="utf-8"))
    return [
        CertifiedRecord(**{**each, "bounds": tuple(each["bounds"])}) for each in saved["records"]
    ]


def certified_now(file: Path) -> list[CertifiedRecord]:
    """Return what is recorded of designs whose source text is still the same."""
    known = {name: source_digest(design) for name, design in designs().items()}
    records = read_records(file)
    return [each for each in records if known.get(each.subject.split(" --", 1)[0]) == each.source]


def records_text(records: Iterable[CertifiedRecord]) -> str:
    """Return the text of a file with these records."""
    ordered = [asdict(each) for each in sorted(records, key=lambda each: each.key)]
    return json.dumps({"schema": RECORDS_SCHEMA, "records": ordered}, indent=1) + "\n"


def certified_marks(records: Iterable[CertifiedRecord]) -> dict[tuple[str, str], str]:
    """Return what a cell of the matrix says about certificates."""
    bounds: dict[tuple[str, str], list[str]] = {}
    for each in sorted(records, key=lambda each: each.key):
        bounds.setdefault((each.subject, each.events), []).append(short(each.bounds))
    return {cell: f"certified: {'; '.join(scenarios)}" for cell, scenarios in bounds.items()}


def certified_table(records: Sequence[CertifiedRecord]) -> list[list[str]]:
    """Return a row for each certificate, headings first."""
    head = ["design", "events", "scenario", "states", "transitions", "file", "search", "certify"]
    body = [
        [
            f"`{each.subject}`",
            each.events.replace("-without-", ", without "),
            short(each.bounds),
            f"{each.states:,}",
            f"{each.transitions:,}",
            f"{each.size / _MEGABYTE:,.1f} MB",
            f"{each.search_seconds:,.1f} s",
            f"{each.certify_seconds:,.1f} s, {each.processes} process{'es' * (each.processes > 1)}",
        ]
        for each in sorted(records, key=lambda each: each.key)
    ]
    return [head, *body]
