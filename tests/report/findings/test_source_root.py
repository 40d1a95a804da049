"""Tests of iopermit.report.findings.source_root: how code hosts are told of a file."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.report.verdicts import GARBAGE, LEAK_OF_A_TREE

import iopermit
from iopermit.engine.verdict import KernelSubject
from iopermit.report.findings.source_root import SourceRoot


def root_of(design_file: Path) -> SourceRoot:
    """Return where the files of a verdict about a design are named from."""
    return SourceRoot(replace(GARBAGE, design_file=str(design_file)))


@pytest.mark.parametrize("marker", ["directory", "file"])
@pytest.mark.parametrize("where", [".", "designs", "elsewhere"])
def test_a_design_is_named_from_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, marker: str
) -> None:
    """From whatever directory, a file is named from the repository's root; also in a worktree."""
    for folder in ("designs", "elsewhere"):
        (tmp_path / folder).mkdir()
    git = tmp_path / ".git"
    git.mkdir() if marker == "directory" else git.write_text("gitdir: /repository\n")
    monkeypatch.chdir(tmp_path / where)
    file = tmp_path / "designs" / "my own.py"
    root = root_of(file)
    assert root.artifact(str(file)) == {"uri": "designs/my%20own.py", "uriBaseId": "%SRCROOT%"}
    assert root.bases()["%SRCROOT%"]["uri"] == f"{tmp_path.resolve().as_uri()}/"


def test_a_design_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository it is named from the working directory, or from its own directory."""
    file = tmp_path / "designs" / "own.py"
    file.parent.mkdir()
    monkeypatch.chdir(tmp_path)
    assert root_of(file).artifact(str(file))["uri"] == "designs/own.py"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert root_of(file).artifact(str(file))["uri"] == "own.py"
    elsewhere.rmdir()
    assert root_of(file).artifact(str(file))["uri"] == "own.py"


def test_a_file_outside_is_a_whole_uri(tmp_path: Path) -> None:
    """A file that is neither in the repository nor in the package has a URI of its own."""
    (tmp_path / "a" / ".git").mkdir(parents=True)
    root = root_of(tmp_path / "a" / "own.py")
    other = tmp_path.resolve() / "b.py"
    assert root.artifact(str(other)) == {"uri": other.as_uri()}


def test_a_tree_is_the_root_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a kernel are named from the tree, though it is in a larger repository."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    kernel = KernelSubject(str(tmp_path / "linux"), (), "6.12", "gcc", "key")
    root = SourceRoot(replace(LEAK_OF_A_TREE, kernel=kernel))
    assert root.artifact("arch/x86/kernel/ioport.c") == {
        "uri": "arch/x86/kernel/ioport.c",
        "uriBaseId": "%SRCROOT%",
    }
    assert root.bases()["%SRCROOT%"]["uri"].endswith("/linux/")


def test_designs_of_an_installed_package_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A design of iopermit itself is named from the package, even if that is in the repository."""
    package = tmp_path / ".venv/lib/python3.11/site-packages/iopermit"
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(iopermit, "__file__", str(package / "__init__.py"))
    root = root_of(tmp_path / "own.py")
    file = package / "designs/linux/base.py"
    assert root.artifact(str(file)) == {"uri": "designs/linux/base.py", "uriBaseId": "IOPERMIT"}
    assert root.bases()["IOPERMIT"]["uri"].endswith("/site-packages/iopermit/")
