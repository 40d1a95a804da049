"""The pages of the site that are made of the code: the verbs, and the matrix with its reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tools.site.matrix import cells, matrix_markdown, reports
from tools.site.reports import made_from, main, report_html
from tools.site.verbs import verbs_markdown

from iopermit.cli.parser.examples import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def test_every_verb_has_its_options_and_examples() -> None:
    """The page about verbs has a part for each, with its options and all its examples."""
    text = verbs_markdown()
    for verb, examples in EXAMPLES.items():
        assert f"\n## iopermit {verb}" in text
        assert all(f"\n$ {command}\n" in text for command, _ in examples)
    assert "| `--kernel TREE` | Check this kernel source tree's C code. |" in text


def test_every_violated_cell_leads_to_a_report() -> None:
    """Each cell of the matrix is in the table, and those that are violated have a link."""
    text = matrix_markdown()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len({subject for subject, _, _ in cells()})
    files = [report.file for report in reports()]
    assert len(files) == len(set(files)) == text.count("](reports/")
    assert len(files) == sum(cell.outcome == "violated" for _, _, cell in cells())


def test_a_report_is_that_of_its_cell() -> None:
    """The report of a cell shows the violation that the matrix has."""
    first = next(iter(reports()))
    text = report_html(first)
    assert first.rung.message in text
    assert "<svg" in text


def test_another_violation_than_that_of_the_matrix_is_refused() -> None:
    """Where the search finds something else than the matrix has, there is no report."""
    first = next(iter(reports()))
    other = first._replace(rung=replace(first.rung, message="something else"))
    with pytest.raises(ValueError, match="run `make docs`"):
        report_html(other)


def test_reports_of_the_same_code_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report is made once; after a change of code or matrix all are made again."""
    wanted = list(reports())[:2]
    made: list[str] = []

    def fake(report: object) -> str:
        made.append(str(report))
        return "page"

    monkeypatch.setattr("tools.site.reports.reports", lambda: wanted)
    monkeypatch.setattr("tools.site.reports.report_html", fake)
    main(tmp_path)
    main(tmp_path)
    assert len(made) == 2
    (tmp_path / "made-from").write_text("other code")
    main(tmp_path)
    assert len(made) == 4
    assert (tmp_path / "made-from").read_text() == made_from()
