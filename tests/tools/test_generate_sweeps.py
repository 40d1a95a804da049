"""Tests of tools.generate_sweeps: the page and the drawings are what the records give."""

import json

import pytest
from tests.support.report.strict import problems
from tools.generate_sweeps import PAGE, ROOT, SWEEPS, drawing, page, recorded

from iopermit.report.compare_json import matrix_from_json
from iopermit.report.sweep.json import sweep_json
from iopermit.report.sweep.plot import described
from iopermit.sweep.reading import read_definition


def test_the_page_is_generated() -> None:
    """docs/sweeps.md shows what the records have now (else: `make docs`)."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", SWEEPS)
def test_a_drawing_is_of_its_record(name: str) -> None:
    """Each drawing has the verdicts of the record in its metadata (else: `make docs`)."""
    said = json.dumps(json.loads(described(recorded(name))), separators=(",", ":"))
    assert said in drawing(name).read_text(encoding="utf-8").replace("&quot;", '"').replace(
        "&gt;", ">"
    )


@pytest.mark.parametrize("name", SWEEPS)
def test_a_record_is_of_its_description(name: str) -> None:
    """Each record keeps to the schema, and has the title, subjects and events of the example."""
    report = recorded(name)
    assert problems(sweep_json(report), "sweep") == []
    text = (ROOT / "examples" / "sweeps" / f"{name}.toml").read_text(encoding="utf-8")
    assert f'title = "{report.title}"' in text
    assert all(f'"{events}"' in text for events in {job.variant.events for job in report.jobs})
    assert all(job.outcome != "not run" for job in report.jobs)


def test_the_record_of_designs_agrees_with_the_matrix() -> None:
    """Where `docs/data/matrix.json` has the same scenario, it has the same verdict."""
    file = ROOT / "docs" / "data" / "matrix.json"
    matrix = matrix_from_json(json.loads(file.read_text(encoding="utf-8")))
    compared = 0
    for job in recorded("designs").jobs:
        cell = matrix[job.subject][job.variant.events.replace(" ", "-")]
        for rung in cell.rungs:
            if rung.bounds == job.variant.bounds:
                assert (rung.outcome, job.violation in rung.kinds or not rung.kinds) == (
                    job.outcome,
                    True,
                )
                compared += 1
    assert compared > len(matrix)


def test_the_description_of_designs_is_read() -> None:
    """The example that needs no trees is a description that the verb takes."""
    assert read_definition(ROOT / "examples" / "sweeps" / "designs.toml").designs == ("all",)
