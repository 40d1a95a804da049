"""Tests of `iopermit check --kernel --every-access`, the reference mode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run
from tests.support.kernel.faults import HARMLESS, unified_diff
from tests.support.kernel.trees import require_tree
from tests.support.requirements import shared_cache

if TYPE_CHECKING:
    from pathlib import Path

BOUNDS = ("--events", "ioperm,exit", "--cpus", "1", "--tasks", "2", "--longs", "1")


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a kernel tree, with the tests' shared builds as the user's cache."""
    path = require_tree("6.12")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    return path


def test_a_depth_is_for_the_reference_mode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--max-depth bounds no other search, so it is refused there; so is a depth of 0."""
    ran = run(capsys, "check", "--kernel", tmp_path, "--max-depth", "2")
    assert (ran.status, ran.out) == (2, "")
    assert "--max-depth needs --every-access" in ran.err
    ran = run(capsys, "check", "--kernel", tmp_path, "--every-access", "--max-depth", "0")
    assert (ran.status, ran.out) == (2, "")


def test_the_reference_mode_says_that_it_was_one(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A depth that leaves events out is status 3 with the reason, and the bounds name the mode."""
    wanted = ("check", "--kernel", tree, "--every-access", "--max-depth", "2", *BOUNDS)
    ran = run(capsys, *wanted)
    assert ran.status == 3
    assert "what more than 2 events lead to was not searched" in " ".join(ran.out.split())
    assert "the reference mode: at most 2 events" in " ".join(ran.out.split())
    found = json.loads(run(capsys, *wanted, "--json").out)
    assert found["verdict"] == "undetermined"
    assert found["kernel"]["points"]["every_access"] is True
    assert not found["search"]["exhausted"]


def test_a_patched_tree_is_searched_in_the_reference_mode(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A patch changes nothing of which search it is; the tree without it is not compared."""
    patch = tmp_path / "harmless.patch"
    patch.write_text(unified_diff(tree, HARMLESS["reordered"]))
    wanted = ("check", "--kernel", tree, "--every-access", "--max-depth", "1", "--json", *BOUNDS)
    kernel = json.loads(run(capsys, *wanted, "--patch", patch).out)["kernel"]
    assert (kernel["points"]["every_access"], kernel["without_patches"]) == (True, None)
