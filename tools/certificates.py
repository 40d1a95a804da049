"""Writes and verifies certificates of the designs that hold, and records their sizes and times.

    python -m tools.certificates               what docs/data/certificates.json lacks
    python -m tools.certificates linux-5.4     the same for one design
    python -m tools.certificates --keep DIR    leave the certificates there

A cell of the matrix (docs/data/matrix.json) that holds gets one certificate for each of the small
scenarios. One that was recorded for another source text of the design is made again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.certify.checker import certify
from iopermit.designs import designs
from iopermit.engine.certificate import source_digest
from iopermit.engine.comparison import event_sets
from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.report.certificate import CertifiedRecord, read_records, records_text
from iopermit.report.compare_json import matrix_from_json
from iopermit.search.certificate import NoCertificateError, certify_search
from iopermit.search.compare import Subject, subjects
from iopermit.search.problem import Problem, Settings
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATA: Final = Path(__file__).resolve().parent.parent / "docs" / "data"
RECORDS: Final = DATA / "certificates.json"
BOUNDS: Final = ((1, 1, 2), (1, 2, 1))
"""CPUs, tasks and longs of the scenarios; larger ones have too many states without merging."""
_LIMITS: Final = Limits(max_states=20_000_000, max_memory=8 << 30)


def digest_of(subject: Subject) -> str:
    """Return the digest of a design's source text as it is now."""
    return source_digest(with_options(subject.design, dict.fromkeys(subject.options, True)))


def wanted(names: list[str]) -> Iterator[tuple[Subject, str, tuple[int, int, int]]]:
    """Yield what is to be certified: what holds in the matrix, smallest scenarios first."""
    matrix = matrix_from_json(json.loads((DATA / "matrix.json").read_text(encoding="utf-8")))
    for bounds in BOUNDS:
        for subject in subjects(designs().values()):
            for events, cell in matrix.get(subject.name, {}).items():
                if cell.outcome == "holds" and (not names or subject.name in names):
                    yield subject, events, bounds


def made(
    subject: Subject, events: str, bounds: tuple[int, int, int], folder: Path
) -> CertifiedRecord:
    """Write a certificate and verify it. Raises NoCertificateError and RuntimeError."""
    design = with_options(subject.design, dict.fromkeys(subject.options, True))
    scenario = Scenario(*bounds, event_sets(PLAIN_EVENTS, ALL_EVENTS)[events])
    file = folder / f"{subject.name}-{events}-{'-'.join(map(str, bounds))}.cert".replace(" ", "_")
    started = time.monotonic()
    problem = Problem(design, scenario, Settings(), Control(_LIMITS))
    certify_search(file, problem, subject.options)
    seconds = time.monotonic() - started
    result = certify(file)
    if not result.verified:
        raise RuntimeError(f"{subject.name}, {events}: {result.refutation}")
    return CertifiedRecord(
        subject.name,
        events,
        bounds,
        digest_of(subject),
        result.members,
        result.transitions,
        file.stat().st_size,
        round(seconds, 1),
        round(result.seconds, 1),
        result.processes,
    )


def save(records: Iterable[CertifiedRecord]) -> None:
    """Write the records, replaced as a whole."""
    temporary = RECORDS.with_suffix(".new")
    temporary.write_text(records_text(records), encoding="utf-8")
    temporary.replace(RECORDS)


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("designs", nargs="*", help="rows of the matrix; all if none")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the certificates there")
    arguments = parser.parse_args()
    records = {record.key: record for record in read_records(RECORDS)}
    for subject, events, bounds in wanted(arguments.designs):
        known = records.get((subject.name, events, bounds))
        if known is not None and known.source == digest_of(subject):
            continue
        with tempfile.TemporaryDirectory(prefix="certificates-") as temporary:
            try:
                record = made(subject, events, bounds, arguments.keep or Path(temporary))
            except NoCertificateError as error:
                print(f"{subject.name}, {events}, {bounds}: {error}", file=sys.stderr)
                continue
        records[record.key] = record
        save(records.values())
        print(f"{record.subject}, {events}, {bounds}: {record.states:,}", file=sys.stderr)


if __name__ == "__main__":
    main()
