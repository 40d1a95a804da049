"""Tests of iopermit.sweep.checkouts: trees as they are in git, and nothing beside them."""

import os
from pathlib import Path

import pytest
from tests.support.requirements import require_tool
from tests.support.sweep.histories import commit, git

from iopermit.sweep.checkouts import Checkouts
from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import Commit
from iopermit.sweep.repository import Repository

DIFF = "--- a/tools/own/x\n+++ b/tools/own/x\n@@ -1 +1 @@\n-x\n+y\n"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Give a repository with parts of a kernel tree."""
    require_tool("git")
    repository = tmp_path / "theirs"
    repository.mkdir()
    git(repository, "init", "--quiet")
    (repository / "scripts").mkdir()
    (repository / "scripts/run").write_text("run\n")
    (repository / "scripts/run").chmod(0o755)
    (repository / "include").mkdir()
    (repository / "include/link").symlink_to("../scripts/run")
    git(repository, "add", ".")
    for path in ("Makefile", "drivers/a.c", "drivers/Kconfig", "tools/own/x", "kernel/gone.c"):
        commit(repository, path, "x\n", path)
    return repository


def commits(
    theirs: Path, folder: Path, rev: str = "HEAD~1..HEAD"
) -> tuple[Checkouts, list[Commit]]:
    """Return one directory for trees of a repository, and commits."""
    folder.mkdir()
    repository = Repository(theirs, folder)
    return Checkouts(repository, folder, 1), repository.commits(rev, ())


def names(tree: Path) -> set[str]:
    """Return every file below a directory."""
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}


def test_what_a_check_needs_is_laid_out(theirs: Path, tmp_path: Path) -> None:
    """Files of the parts, of Kconfig and of patches are there, with mode and links; others not."""
    patch = tmp_path / "own.patch"
    patch.write_text(DIFF)
    found, (_, last) = commits(theirs, tmp_path / "scratch")
    parts = {"Makefile", "drivers/Kconfig", "include/link", "kernel/gone.c", "scripts/run"}
    with found.laid_out(last) as tree:
        assert names(tree) == parts
        assert os.access(tree / "scripts/run", os.X_OK)
        assert not os.access(tree / "Makefile", os.X_OK)
        assert (tree / "include/link").readlink() == Path("../scripts/run")
    with found.laid_out(last, [patch]) as tree:
        assert names(tree) == {*parts, "tools/own/x"}


def test_from_one_commit_to_another_only_what_differs_is_written(
    theirs: Path, tmp_path: Path
) -> None:
    """A file that is the same in both commits stays; others come and go."""
    git(theirs, "rm", "--quiet", "kernel/gone.c")
    (theirs / "include/link").unlink()
    commit(theirs, "include/link/file.h", "y\n", "A directory for a link")
    found, (before, after) = commits(theirs, tmp_path / "scratch")
    with found.laid_out(before) as tree:
        first = (tree / "Makefile").stat().st_mtime_ns
    with found.laid_out(after) as tree:
        assert (tree / "Makefile").stat().st_mtime_ns == first
        assert (tree / "include/link/file.h").read_text() == "y\n"
        assert not (tree / "kernel/gone.c").exists()
    with found.laid_out(before) as tree:
        assert (tree / "include/link").is_symlink()
        assert (tree / "kernel/gone.c").exists()


def test_files_are_what_git_has(theirs: Path, tmp_path: Path) -> None:
    """Neither filters nor the conversion of line ends change what is laid out."""
    git(theirs, "config", "filter.own.smudge", "sed s/x/z/")
    git(theirs, "config", "core.autocrlf", "true")
    commit(theirs, ".gitattributes", "* filter=own eol=crlf\n", "Attributes")
    found, (_, last) = commits(theirs, tmp_path / "scratch")
    with found.laid_out(last) as tree:
        assert (tree / "Makefile").read_bytes() == b"x\n"


def test_a_file_outside_the_tree_is_refused(theirs: Path, tmp_path: Path) -> None:
    """A tree that names a file of the directory above ends in a message."""
    name = git(theirs, "rev-parse", "HEAD:Makefile")
    inner = _tree(theirs, tmp_path, f"100644 blob {name}\tb")
    outer = _tree(theirs, tmp_path, f"040000 tree {inner}\t..")
    top = _tree(theirs, tmp_path, f"040000 tree {outer}\tkernel")
    git(theirs, "tag", "evil", git(theirs, "commit-tree", "-m", "Evil", top))
    found, (evil,) = commits(theirs, tmp_path / "scratch", "evil")
    with pytest.raises(SweepError, match="leaves its tree"), found.laid_out(evil):
        pass


def _tree(theirs: Path, folder: Path, line: str) -> str:
    """Make a tree of one entry, which git would make itself only from a name that it accepts."""
    mode, _, rest = line.partition(" ")
    name, path = rest.split(" ", 1)[1].split("\t")
    file = folder / "object"
    file.write_bytes(f"{mode.lstrip('0')} {path}\0".encode() + bytes.fromhex(name))
    return git(theirs, "hash-object", "-t", "tree", "-w", "--literally", str(file))


def test_what_git_does_not_have_is_told(theirs: Path, tmp_path: Path) -> None:
    """Content that is missing, as in a partial clone, ends in a message and is not fetched."""
    found, (_, last) = commits(theirs, tmp_path / "scratch")
    name = git(theirs, "rev-parse", "HEAD:Makefile")
    (theirs / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(SweepError, match="git has no content of"), found.laid_out(last):
        pass
