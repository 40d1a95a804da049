"""Discharges the obligations of every shipped design, and records what the solver says.

`python -m tools.obligations [DESIGN ...]` takes the designs that are named, or those whose record
is missing or about another text of the design, and saves after each: a run that is interrupted goes
on where it stopped. Exit status 1: an obligation is not discharged.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from iopermit.designs import designs
from iopermit.engine.certificate import source_digest
from iopermit.system.events import event_named
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.assumptions import assumptions
from iopermit.translate.analyses.merging import Merging
from iopermit.translate.analyses.reductions import Reductions
from iopermit.translate.obligations.discharge import discharge
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.model.model import Model

RECORDS: Final = Path(__file__).resolve().parent.parent / "docs" / "data" / "obligations.json"
BOUNDS: Final = (2, 3, 1)
"""CPUs, tasks and longs: a rival that forks takes a task more. The longs are alike to all steps."""
EVENTS: Final = (
    "allocation-fails", "cpu-offline", "drop-privilege", "exec", "exit", "fork", "fork-fails",
    "fork-fails-early", "io-thread", "iopl", "iopl-levels", "ioperm", "migrate", "preempt",
    "read-map", "vm-exit",
)  # fmt: skip

SCENARIO: Final = Scenario(*BOUNDS, frozenset(map(event_named, EVENTS)))


@dataclass(frozen=True)
class Record:
    """What the solver says of one design."""

    design: str
    source: str
    """Digest of the design's text."""
    subject: str
    """Digest of what was asked about: the model, and when its steps are merged."""
    asked: dict[str, int]
    """How many obligations it was asked, for the premises and each reduction that applies."""
    apart: int
    """Pairs of a merged step and a rival that touch nothing in common."""
    failures: list[str]
    seconds: float


def read() -> dict[str, Record]:
    """Return the records, by design."""
    if not RECORDS.exists():
        return {}
    every: list[dict[str, Any]] = json.loads(RECORDS.read_text(encoding="utf-8"))
    return {each["design"]: Record(**each) for each in every}


def subject(model: Model, assumed: tuple[Assumption, ...]) -> str:
    """Return a digest of a model and of the conditions under which its steps are merged."""
    merging = Merging(model, frozenset(assumed))
    conditions = {pc: merging.condition(pc) for pc in model.steps}
    # Where the design's file lies, and where it names longs, does not matter.
    names = [each.name for each in fields(model) if each.name != "longs_site"]
    what = [(name, _in_order(getattr(model, name))) for name in names]
    text = repr((what, conditions)).replace(str(RECORDS.parents[2]), "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _in_order(value: object) -> object:
    """Return an attribute of a model with its sets in one order."""
    match value:
        case frozenset():
            return sorted(map(repr, value))
        case dict():
            return {key: _in_order(each) for key, each in value.items()}
        case list():
            return [_in_order(each) for each in value]
    return value


def model_of(design: type[Design]) -> Model:
    """Return the model that is asked about."""
    return translate(design, SCENARIO)


def discharged(name: str, design: type[Design]) -> Record:
    """Let the solver discharge what all reductions rest on, with every assumption made."""
    model = model_of(design)
    assumed = tuple(assumptions(model))
    started = time.monotonic()
    parts = list(discharge(model, SCENARIO, Reductions(), assumed))
    return Record(
        name,
        source_digest(design),
        subject(model, assumed),
        {part.what: part.asked for part in parts},
        sum(part.apart for part in parts),
        [f"{part.what}: {failure}" for part in parts for failure in part.failures],
        round(time.monotonic() - started, 1),
    )


def is_fresh(record: Record, design: type[Design]) -> bool:
    """Return whether a record is about a design, and the merging of its steps, as they are."""
    model = model_of(design)
    return record.source == source_digest(design) and record.subject == subject(
        model, tuple(assumptions(model))
    )


def save(records: dict[str, Record]) -> None:
    """Write the records, replaced as a whole, in the order of the designs."""
    listed = [asdict(records[name]) for name in designs() if name in records]
    temporary = RECORDS.with_suffix(".new")
    temporary.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    temporary.replace(RECORDS)


def _same_model(name: str, design: type[Design], records: dict[str, Record]) -> Record | None:
    """Return what is known of another design, if it is the same model: all was asked then."""
    model = model_of(design)
    wanted = subject(model, tuple(assumptions(model)))
    for known in records.values():
        if known.subject == wanted and known.design != name:
            return replace(known, design=name, source=source_digest(design), seconds=0.0)
    return None


def main() -> int:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("designs", nargs="*", help="ids; what lacks a record if none")
    arguments = parser.parse_args()
    records = read()
    for name, design in designs().items():
        fresh = name in records and is_fresh(records[name], design)
        if name not in arguments.designs and (arguments.designs or fresh):
            continue
        record = _same_model(name, design, records) or discharged(name, design)
        records[name] = record
        save(records)
        total, failed = sum(record.asked.values()), len(record.failures)
        print(f"{name}: {total:,} asked, {failed} failed, {record.seconds} s", file=sys.stderr)
    return 1 if any(record.failures for record in records.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
