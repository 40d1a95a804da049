"""Tests of iopermit.sweep.identity: what is hashed changes with what decides."""

import shutil
from importlib import metadata
from pathlib import Path

import pytest
from tests.support.kernel.made_trees import make_tree

import iopermit
from iopermit.kernel.errors import KernelTreeError
from iopermit.sweep import identity
from iopermit.sweep.errors import SweepError
from iopermit.translate.frontend.load import load_design


def test_the_checker_s_hash_has_the_code_that_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed search or shim is another checker; a changed report is not."""
    package = tmp_path / "iopermit"
    shutil.copytree(
        Path(iopermit.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(iopermit, "__file__", str(package / "__init__.py"))

    def hashed() -> str:
        return identity.checker.__wrapped__()

    first = hashed()
    (package / "report/text.py").write_text("other")
    assert hashed() == first
    for name in ("search/check.py", "kernel/build/shim/iopermit_shim.c"):
        before = hashed()
        (package / name).write_text("other")
        assert hashed() != before


def test_a_library_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of a library under the checker, or a missing one, is another checker."""
    hashed = identity.checker.__wrapped__
    first = hashed()
    monkeypatch.setattr(metadata, "version", lambda _: "0")
    assert hashed() != first


def test_a_design_of_the_user_is_known_by_its_files(tmp_path: Path) -> None:
    """A changed line in a design's own file makes another design."""
    file = tmp_path / "mine.py"
    text = "from iopermit.designs.linux.v6_16 import Linux616\n\n\nclass Mine(Linux616):\n"
    text += "    id = 'mine'\n"
    file.write_text(text)
    first = identity.design_digest(load_design(str(file)))
    assert identity.design_digest(load_design(str(file))) == first
    file.write_text(f"{text}    title = 'Other'\n")
    assert identity.design_digest(load_design(str(file))) != first


def test_a_tree_is_known_by_what_is_built(tmp_path: Path) -> None:
    """A changed source file makes another tree, a changed document does not."""
    tree = make_tree(tmp_path / "linux")
    (tree / "Kconfig").write_text("")
    first = identity.tree_digest(tree)
    (tree / "README").write_text("other")
    assert identity.tree_digest(tree) == first
    (tree / "arch/x86/kernel/ioport.c").write_text("other")
    assert identity.tree_digest(tree) != first


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A patch that is gone, and a directory that is no tree, end in messages."""
    with pytest.raises(SweepError, match="cannot read"):
        identity.file_digest(tmp_path / "gone.patch")
    with pytest.raises(KernelTreeError, match="is not a Linux kernel source tree"):
        identity.tree_digest(tmp_path)
