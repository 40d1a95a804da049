"""Tests of what `check --kernel` and `cost --kernel` write for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import jsonschema
import pytest
import xmlschema
from tests.support.cli.command import run
from tests.support.kernel.faults import FAULTS, unified_diff
from tests.support.kernel.trees import require_tree
from tests.support.report.strict import problems
from tests.support.requirements import shared_cache

DATA: Final = Path(__file__).parents[1] / "data"
PREEMPTED = ("--events", "ioperm,exit,preempt", "--cpus", "1", "--tasks", "2", "--longs", "1", "-q")
FAULT = FAULTS["switch-out"]


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a kernel tree, from another directory, with the tests' shared builds as the cache."""
    path = require_tree("6.12")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    monkeypatch.chdir(tmp_path)
    return path


def test_every_format_of_a_tree(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON, SARIF and JUnit of a leak keep to their schemas; places are in the tree."""
    patch, log, suite = tmp_path / "leak.patch", tmp_path / "leak.sarif", tmp_path / "leak.xml"
    patch.write_text(unified_diff(tree, FAULT))
    written = ("--sarif", log, "--junit", suite, "--json")
    ran = run(capsys, "check", "--kernel", tree, *PREEMPTED, "--patch", patch, *written)
    assert ran.status == 1
    assert problems(json.loads(ran.out), "verdict") == []
    xmlschema.XMLSchema(DATA / "junit" / "junit-10.xsd").validate(suite)

    found = json.loads(log.read_text())
    schema = json.loads((DATA / "sarif-2.1.0" / "sarif-schema-2.1.0.json").read_text())
    assert [each.message for each in jsonschema.Draft4Validator(schema).iter_errors(found)] == []
    (sarif,) = found["runs"]
    root = Path(sarif["originalUriBaseIds"]["%SRCROOT%"]["uri"].removeprefix("file://"))
    assert root == tree.resolve()
    (result,) = sarif["results"]
    steps = [s["location"] for t in result["codeFlows"][0]["threadFlows"] for s in t["locations"]]
    for place in [*result["locations"], *steps]:
        assert (root / place["physicalLocation"]["artifactLocation"]["uri"]).is_file()


def test_costs_of_a_tree(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The costs of a tree keep to their schema."""
    ran = run(capsys, "cost", "--kernel", tree, "--json")
    assert problems(json.loads(ran.out), "cost") == []
