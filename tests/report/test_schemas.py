"""Tests of the JSON schemas in iopermit.report.schemas, and of the page about them."""

from pathlib import Path

import jsonschema
import pytest
from tools.generate_json_docs import PAGE, members, page

import iopermit.report.schemas
from iopermit.report.json import SCHEMAS, schema


def test_every_schema_is_listed() -> None:
    """The names are those of the files."""
    folder = Path(iopermit.report.schemas.__file__).parent
    assert {f"{name}.schema.json" for name in SCHEMAS} == {
        each.name for each in folder.glob("*.json")
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_has_its_name(name: str) -> None:
    """Each keeps to JSON Schema 2020-12, and fixes the version that it is of."""
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    body = found if "properties" in found else found["$defs"]["verdict"]
    assert found["$id"] == body["properties"]["schema"]["const"] == f"iopermit/{name}/1"
    assert "schema" in body["required"]


def test_the_page_is_generated() -> None:
    """docs/json-schemas.md is what the schemas give now (else: `make docs`)."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "verdict"])
def test_every_member_is_described(name: str) -> None:
    """The page has a line for every member, with a meaning."""
    rows = list(members(schema(name), schema(name), ""))
    assert len(rows) > 2
    assert all(meaning for _, _, meaning in rows)
