"""Tests of iopermit.sweep.execution.needs: what differs on a machine is told by name."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.kernel.made_trees import make_tree
from tests.support.sweep.made_jobs import design_job, tree_job

from iopermit.sweep import identity
from iopermit.sweep.execution.needs import Needs, needs_of, unmet
from iopermit.sweep.jobs import DesignSubject, TreeSubject


def needs(folder: Path) -> Needs:
    """Return the needs of a design in a file, and of a tree with a patch."""
    design, patch = folder / "design.py", folder / "fix.patch"
    design.write_text("a design")
    patch.write_text("a patch")
    tree = make_tree(folder / "tree")
    subject = DesignSubject(str(design), (), "", ((design, identity.file_digest(design)),))
    patched = TreeSubject(
        "tree",
        identity.tree_digest(tree),
        tree,
        patches=(patch,),
        patch_digests=(identity.file_digest(patch),),
    )
    jobs = [
        replace(design_job(), subject=subject),
        replace(tree_job("tree", tree), subject=patched),
    ]
    return needs_of(jobs, [folder])


def test_this_machine_has_what_it_needs(tmp_path: Path) -> None:
    """Where nothing differs nothing is told."""
    assert unmet(needs(tmp_path)) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """Files, trees and directories that are not there are told by their paths."""
    wanted = needs(tmp_path)
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert unmet(wanted) == [
        f"no directory {tmp_path}",
        f"no {tmp_path / 'design.py'}",
        f"no {tmp_path / 'fix.patch'}",
        f"no {tmp_path / 'tree'}",
    ]


def test_another_content_is_named(tmp_path: Path) -> None:
    """A file or a tree of the same name that has another content is none of those that count."""
    wanted = needs(tmp_path)
    (tmp_path / "design.py").write_text("another design")
    (tmp_path / "tree/Makefile").write_text(
        "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 8\nNAME = A\n"
    )
    assert unmet(wanted) == [
        f"another content of {tmp_path / name}" for name in ("design.py", "tree")
    ]


def test_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `check` depends on is told with both versions."""
    wanted = needs_of([design_job()])
    here = identity.versions()
    monkeypatch.setattr(identity, "versions", lambda: here | {"version of numpy": "0.1"})
    (told,) = unmet(wanted)
    own = here["version of numpy"]
    assert told == f"another version of numpy: 0.1, and the machine of the sweep has {own}"


def test_another_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where trees are built the compiler has to be the same."""
    wanted = replace(needs(tmp_path), compiler="gcc 99")
    monkeypatch.setattr(identity, "compiler", lambda: "gcc 98")
    assert unmet(wanted) == ["another compiler"]
