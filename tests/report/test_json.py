"""Tests of iopermit.report.json: the verdict as JSON keeps to its schema."""

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.report.schedules import review_story
from tests.support.report.verdicts import (
    CRASH,
    GARBAGE,
    HOLDS,
    LEAK_OF_A_TREE,
    UNDETERMINED,
    patched,
)

from iopermit.designs import designs
from iopermit.engine.verdict import FaultOrigin, Verdict
from iopermit.report.json import design_name, place, schema, to_text, verdict_json
from iopermit.system.site import Site
from iopermit.translate.frontend.load import load_design

PATCHED = patched(LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE)
EVERY = [review_story(), HOLDS, UNDETERMINED, CRASH, GARBAGE, PATCHED]


def problems(value: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Return what is wrong with a value according to the schema."""
    validator = jsonschema.Draft202012Validator(schema())
    return [error.message for error in validator.iter_errors(value)]


def test_schema_is_one() -> None:
    """The schema itself keeps to JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("verdict", EVERY, ids=lambda v: f"{v.subject}-{v.verdict}")
def test_every_verdict_keeps_to_the_schema(verdict: Verdict) -> None:
    """All kinds of verdicts give JSON that the schema accepts, also after writing and reading."""
    assert problems(json.loads(to_text(verdict_json(verdict)))) == []


@pytest.mark.parametrize("member", sorted(verdict_json(HOLDS)))
def test_every_member_is_required(member: str) -> None:
    """The schema refuses a verdict that lacks a documented member."""
    value = verdict_json(HOLDS)
    del value[member]
    assert problems(value)


def test_schema_ties_violation_and_verdict() -> None:
    """The schema refuses a violation without schedule, and a violation of a design that holds."""
    violated = verdict_json(review_story())
    assert problems(violated | {"trace": None})
    assert problems(violated | {"verdict": "holds"})
    assert problems(verdict_json(HOLDS) | {"search": verdict_json(UNDETERMINED)["search"]})


def test_every_member_is_documented() -> None:
    """docs/verdict-schema.md names every member of the schema."""
    text = (Path(__file__).parents[2] / "docs" / "verdict-schema.md").read_text("utf-8")
    definitions = schema()["$defs"]
    objects = [definitions[name] for name in ("verdict", "violation", "step", "tss")]
    objects += [definitions["verdict"]["properties"][n] for n in ("design", "search", "uncovered")]
    missing = {m for each in objects for m in each["properties"] if f"`{m}`" not in text}
    assert missing == set()


def test_ports_are_pairs() -> None:
    """Ports are [first, last] pairs, both included."""
    violation = verdict_json(review_story())["violation"]
    assert violation["ports"] == [[192, 65535]]
    assert violation["allowed"] == [[128, 128], [192, 65535]]
    assert violation["granted"] == [[128, 128]]


def test_step_has_the_tss_of_its_cpu() -> None:
    """Each step has the TSS of the CPU that acts, after the step."""
    *_, last = verdict_json(review_story())["trace"]
    assert last["tss"] == {
        "io_map_base": "valid",
        "clear": [[128, 128], [192, 65535]],
        "limit_low": False,
    }


def test_source_is_file_and_line() -> None:
    """A step of the design has file:line of its statement, and a start of an event has none."""
    first, second, *_ = verdict_json(review_story())["trace"]
    assert first["source"] is None
    assert second["source"].rpartition(":")[0].endswith("v2_06.py")
    assert second["statement"] == "if not ports.is_valid():"


def test_place_is_relative_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file below the working directory is named as it can be opened from there."""
    site = Site(str(tmp_path / "own.py"), 3, 0, "", "")
    assert place(site) == f"{tmp_path}/own.py:3"
    monkeypatch.chdir(tmp_path)
    assert place(site) == "own.py:3"


@pytest.mark.parametrize("name", designs())
def test_listed_design_is_named_by_its_id(name: str) -> None:
    """The name of a listed design, from which replay loads it again, is its id."""
    file = inspect.getfile(designs()[name])
    assert design_name(replace(HOLDS, subject=name, design_file=file)) == name


def test_copied_design_is_named_by_its_file(tmp_path: Path) -> None:
    """A user's copy of a design with the same id is not mixed up with the original."""
    copy = tmp_path / "mine.py"
    copy.write_text(Path(inspect.getfile(designs()["linux-v2-06"])).read_text())
    name = design_name(replace(HOLDS, subject="linux-v2-06", design_file=str(copy)))
    assert name == f"{copy}:linux-v2-06"
    assert inspect.getfile(load_design(name)) == str(copy)


def test_relative_design_file_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A design file is saved with its absolute path, so that replay works from anywhere."""
    monkeypatch.chdir(tmp_path)
    value = verdict_json(replace(HOLDS, subject="Mine", design_file="mine.py"))
    assert value["design"]["name"] == f"{tmp_path}/mine.py:Mine"
