"""Tests of what the documentation says about certificates that were verified."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from iopermit.designs import find
from iopermit.engine.certificate import source_digest
from iopermit.engine.comparison import Cell, Rung
from iopermit.report.certificate import (
    CertifiedRecord,
    certified_marks,
    certified_now,
    certified_table,
    read_records,
    records_text,
)
from iopermit.report.compare import matrix_table

RECORD: Final = CertifiedRecord(
    subject="linux-5.4",
    events="plain-without-preempt",
    bounds=(1, 2, 1),
    source=source_digest(find("linux-5.4")),
    states=1234567,
    transitions=2345678,
    size=29_876_543,
    search_seconds=1.25,
    certify_seconds=12.0,
    processes=2,
)
SMALLER: Final = replace(RECORD, bounds=(1, 1, 2), states=99)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A file of records holds all of them, in a fixed order; no file holds none."""
    file = tmp_path / "records.json"
    assert read_records(file) == []
    file.write_text(records_text([RECORD, SMALLER]), encoding="utf-8")
    assert read_records(file) == [SMALLER, RECORD]


def test_changed_design_is_certified_no_more(tmp_path: Path) -> None:
    """A record counts only while the source text of the design is the one that was certified."""
    file = tmp_path / "records.json"
    outdated = replace(RECORD, source="0" * 64)
    unknown = replace(RECORD, subject="linux-0.01")
    option = replace(RECORD, subject="linux-5.4 --option no_limit_refresh")
    file.write_text(records_text([outdated, unknown, option]), encoding="utf-8")
    assert certified_now(file) == [option]


def test_cells_that_hold_are_marked() -> None:
    """Only a cell that holds gets the mark, with every scenario that was certified."""
    marks = certified_marks([RECORD, SMALLER])
    held, broken = Rung((1, 2, 1), "holds", 7), Rung((1, 1, 1), "violated", 3, ("leak",))
    matrix = {
        "linux-5.4": {
            "plain-without-preempt": Cell((held,), (1, 2, 1)),
            "plain": Cell((held,), (1, 2, 1)),
        },
        "linux-2.6.8": {
            "plain-without-preempt": Cell((broken,), (1, 2, 1)),
            "plain": Cell((held,), (1, 2, 1)),
        },
    }
    _, first, second = matrix_table(matrix, marks)
    mark = "; certified: 1 CPU, 1 task, 2 longs; 1 CPU, 2 tasks, 1 long"
    assert first[1].endswith(mark)
    assert not any("certified" in cell for cell in (first[2], *second))


def test_table_has_sizes_and_times() -> None:
    """The table has a row for each certificate, in the units that its headings' readers expect."""
    head, small, large = certified_table([RECORD, SMALLER])
    assert len(head) == len(small) == len(large)
    assert large == [
        "`linux-5.4`", "plain, without preempt", "1 CPU, 2 tasks, 1 long", "1,234,567",
        "2,345,678", "29.9 MB", "1.2 s", "12.0 s, 2 processes",
    ]  # fmt: skip
