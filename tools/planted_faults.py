"""Plants every fault of the corpus in repaired kernel trees, and records what the check says.

`python -m tools.planted_faults [NAME ...]` takes the faults that are named, or those whose record
is missing or about another edit, and saves after each: a run that is interrupted goes on where it
stopped. Exit status 1: a verdict is not the right one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.kernel.planted.corpus import CORPUS
from tests.support.kernel.planted.running import PlantedOutcome, complaint, outcome_of
from tests.support.kernel.trees import VERSIONS

from iopermit.kernel.build.configuration import FULL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernel.planted.fault import PlantedFault

RECORDS: Final = Path(__file__).resolve().parent.parent / "docs" / "data" / "planted-faults.json"
Key = tuple[str, str]
"""A tree and a fault."""


@dataclass(frozen=True)
class PlantedRecord:
    """What the check said of a tree with a fault.

    Attributes:
        tree: which of Debian's trees.
        fault: the fault's name.
        digest: digest of the edit and the scenario.
        outcome: what it said.
    """

    tree: str
    fault: str
    digest: str
    outcome: PlantedOutcome


def read() -> dict[Key, PlantedRecord]:
    """Return the records."""
    if not RECORDS.exists():
        return {}
    every: list[dict[str, Any]] = json.loads(RECORDS.read_text(encoding="utf-8"))
    records = [
        PlantedRecord(**{**each, "outcome": PlantedOutcome(**each["outcome"])}) for each in every
    ]
    return {(record.tree, record.fault): record for record in records}


def save(records: dict[Key, PlantedRecord]) -> None:
    """Write the records, replaced as a whole, in the order of the corpus."""
    listed = [asdict(records[key]) for key in every_key() if key in records]
    RECORDS.parent.mkdir(exist_ok=True)
    temporary = RECORDS.with_suffix(".new")
    temporary.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    temporary.replace(RECORDS)


def every_key() -> Iterator[Key]:
    """Yield every fault with every tree that it can be planted in, the newest tree first."""
    for tree in reversed(VERSIONS):
        yield from ((tree, name) for name, fault in CORPUS.items() if tree in fault.versions)


def digest(fault: PlantedFault) -> str:
    """Return a digest of what is planted, and of the scenario that is searched."""
    edits = [(edit.path, edit.pattern, edit.replacement, edit.every) for edit in fault.edits]
    scenario = fault.scenario
    events = sorted(event.name for event in scenario.events)
    searched = (edits, scenario.cpus, scenario.tasks, scenario.longs, events)
    # Records of before there were configurations are about the default.
    other = fault.configuration != FULL.name
    text = repr((*searched, fault.configuration) if other else searched)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wrong(records: dict[Key, PlantedRecord]) -> dict[Key, str]:
    """Return what is wrong with each outcome that is not the right one."""
    found = {key: complaint(CORPUS[key[1]], record.outcome) for key, record in records.items()}
    return {key: what for key, what in found.items() if what}


def main() -> int:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("faults", nargs="*", help="names; what lacks a record if none")
    parser.add_argument("--tree", choices=VERSIONS, default=VERSIONS[-1], help="where")
    arguments = parser.parse_args()
    records, failed = read(), False
    for key in every_key():
        (tree, name), fault = key, CORPUS[key[1]]
        fresh = key in records and records[key].digest == digest(fault)
        asked = name in arguments.faults if arguments.faults else not fresh
        if not asked or arguments.tree != tree:
            continue
        try:
            outcome = outcome_of(fault, tree)
        except Exception as error:  # noqa: BLE001 - an internal error is no verdict, and told
            print(f"{tree} {name}: {type(error).__name__}: {error}", file=sys.stderr)
            failed = True
            continue
        records[key] = PlantedRecord(tree, name, digest(fault), outcome)
        save(records)
        what = complaint(fault, outcome) or outcome.kind or outcome.verdict
        print(f"{tree} {name}: {what}, {outcome.seconds} s", file=sys.stderr)
    return 1 if failed or wrong({key: records[key] for key in every_key() if key in records}) else 0


if __name__ == "__main__":
    sys.exit(main())
