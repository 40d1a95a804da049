"""Holds JSON to a schema without members that the schema does not name."""

from __future__ import annotations

from typing import Any

import jsonschema

from iopermit.report.json import schema


def closed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema in which every object that names its members has no others."""
    if isinstance(value, list):
        return [closed(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {name: closed(each) for name, each in value.items()}
    if "type" in inner and "properties" in inner:
        inner.setdefault("additionalProperties", False)
    return inner


def problems(value: object, name: str) -> list[str]:
    """Return what is wrong with JSON according to a schema, undocumented members included."""
    validator = jsonschema.Draft202012Validator(closed(schema(name)))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
