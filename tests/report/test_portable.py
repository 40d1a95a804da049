"""Tests of iopermit.report.portable: saved verdicts can be moved."""

from pathlib import Path

from tests.support.report.schedules import review_story
from tests.support.report.verdicts import LEAK_OF_A_TREE

from iopermit.report.json import verdict_json
from iopermit.report.portable import located, portable


def test_paths_come_back(tmp_path: Path) -> None:
    """What was made relative to a directory is the same again when it is read from there."""
    saved = verdict_json(LEAK_OF_A_TREE)
    saved["also"] = [verdict_json(review_story())]
    assert located(portable(saved, tmp_path), tmp_path) == saved


def test_a_tree_is_found_from_another_place(tmp_path: Path) -> None:
    """Tree and patches beside the file are found where the file is now."""
    saved = verdict_json(LEAK_OF_A_TREE)
    saved["kernel"] |= {"tree": str(tmp_path / "linux"), "patches": [str(tmp_path / "a.patch")]}
    moved = portable(saved, tmp_path)
    assert (moved["kernel"]["tree"], moved["kernel"]["patches"]) == ("linux", ["a.patch"])
    assert located(moved, Path("/other"))["kernel"]["patches"] == ["/other/a.patch"]


def test_a_listed_design_keeps_its_id(tmp_path: Path) -> None:
    """The name of a listed design is its id, wherever the file is."""
    assert portable(verdict_json(review_story()), tmp_path)["design"]["name"] == "linux-v2-06"
