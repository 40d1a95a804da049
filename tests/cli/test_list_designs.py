"""Tests of `iopermit list`."""

import json

import pytest
from tests.support.cli.command import run

from iopermit.designs import designs


def test_every_design_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has every design with its title, family, origin and options, in 100 columns."""
    ran = run(capsys, "list")
    words = " ".join(ran.out.split())
    assert ran.status == 0
    assert max(len(line) for line in ran.out.splitlines()) <= 100
    for design in designs().values():
        assert f"{design.id} {design.title}" in words
        assert f"{design.family}; origin: {design.origin}" in words
        assert all(f"--option {name}: {text}" in words for name, text in design.options.items())


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json has the same as an object with a schema."""
    listed = json.loads(run(capsys, "list", "--json").out)
    assert listed["schema"] == "iopermit/list/1"
    assert [entry["id"] for entry in listed["designs"]] == list(designs())
    assert listed["designs"][0].keys() == {"id", "title", "family", "origin", "options"}
