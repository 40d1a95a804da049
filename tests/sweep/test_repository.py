"""Tests of iopermit.sweep.repository: right commits, and nothing of the repository's is run."""

from pathlib import Path

import pytest
from tests.support.requirements import require_tool
from tests.support.sweep.histories import commit, git

from iopermit.sweep.errors import SweepError
from iopermit.sweep.repository import Repository


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Give a repository with four commits of which two touch `a`, and a tag."""
    require_tool("git")
    repository = tmp_path / "theirs"
    repository.mkdir()
    git(repository, "init", "--quiet")
    for number, path in enumerate(("a", "b", "a", "b")):
        commit(repository, path, f"{number}\n", f"Change {number}")
    git(repository, "tag", "v1", "HEAD~3")
    return repository


@pytest.fixture
def repository(theirs: Path, tmp_path: Path) -> Repository:
    """Give the same as a sweep reads it."""
    return opened(theirs, tmp_path / "scratch")


def opened(theirs: Path, scratch: Path) -> Repository:
    """Return a repository as a sweep reads it."""
    scratch.mkdir()
    return Repository(theirs, scratch)


def summaries(repository: Repository, rev: str, *paths: str) -> list[str]:
    """Return the first lines of the messages of commits."""
    return [each.summary for each in repository.commits(rev, paths)]


def test_a_range_has_its_beginning_and_the_commits_behind_it(repository: Repository) -> None:
    """FROM..TO is FROM, then each commit up to TO, oldest first."""
    assert summaries(repository, "v1..main") == [f"Change {number}" for number in range(4)]


def test_only_commits_that_touch_the_paths_count(repository: Repository) -> None:
    """Behind the beginning only what changes one of the paths is there."""
    assert summaries(repository, "v1..main", "a") == ["Change 0", "Change 2"]


def test_one_revision_is_one_commit(repository: Repository, theirs: Path) -> None:
    """A single revision is the commit that it names, with its tree."""
    (found,) = repository.commits("main", ["a"])
    assert found.hash == git(theirs, "rev-parse", "HEAD")
    assert found.tree == git(theirs, "rev-parse", "HEAD^{tree}")


def test_a_message_with_strange_characters_is_one_line(theirs: Path, tmp_path: Path) -> None:
    """Characters that other programs take for ends of lines stay in the first line of a message."""
    commit(theirs, "a", "x\n", "One\u2028two\x0bthree\x85four")
    (found,) = opened(theirs, tmp_path / "scratch").commits("main", ())
    assert found.summary == "One\u2028two\x0bthree\x85four"


def test_a_merge_counts_as_what_it_brings(theirs: Path, tmp_path: Path) -> None:
    """Commits of a side branch are not on the line of first parents; their merge is."""
    git(theirs, "checkout", "--quiet", "-b", "side")
    commit(theirs, "a", "side\n", "On the side")
    git(theirs, "checkout", "--quiet", "main")
    commit(theirs, "b", "main\n", "On the main line")
    git(theirs, "merge", "--quiet", "--no-ff", "-m", "The merge", "side")
    found = summaries(opened(theirs, tmp_path / "scratch"), "v1..main", "a")
    assert found == ["Change 0", "Change 2", "The merge"]


@pytest.mark.parametrize(
    ("rev", "message"),
    [
        ("gone", "there is no revision 'gone'"),
        ("v1..gone", "there is no revision 'gone'"),
        ("--help", "there is no revision '--help'"),
        ("--output=x..main", "there is no revision '--output=x'"),
        ("main..v1", "main is no ancestor of v1"),
        ("v1...main", "write FROM..TO"),
        ("..main", "write FROM..TO"),
        ("v1..", "write FROM..TO"),
    ],
)
def test_a_revision_that_is_none_is_told(rev: str, message: str, repository: Repository) -> None:
    """What git does not know, or takes for an option, ends in a message."""
    with pytest.raises(SweepError, match=message):
        repository.commits(rev, ())


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    """A directory without git's, and one that does not exist, end in messages."""
    require_tool("git")
    with pytest.raises(SweepError, match="not a git repository"):
        opened(tmp_path, tmp_path / "one")
    with pytest.raises(SweepError, match="there is no directory"):
        opened(tmp_path / "gone", tmp_path / "two")


def test_paths_that_look_like_options_or_patterns_are_paths(theirs: Path, tmp_path: Path) -> None:
    """A path that begins with a dash is one, and a star stands for itself."""
    commit(theirs, "-x", "1\n", "Dash")
    commit(theirs, "c", "1\n", "Other")
    repository = opened(theirs, tmp_path / "scratch")
    assert summaries(repository, "v1..main", "-x") == ["Change 0", "Dash"]
    assert summaries(repository, "v1..main", "*") == ["Change 0"]


def test_the_repository_s_configuration_runs_nothing(theirs: Path, tmp_path: Path) -> None:
    """Monitors, pagers, diffs, signatures, filters and hooks of the repository stay silent."""
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {ran}\ncat\n')
    program.chmod(0o700)
    for name in (
        *("core.fsmonitor", "core.pager", "core.sshCommand", "core.askPass", "core.editor"),
        *("diff.external", "diff.own.textconv", "diff.own.command", "gpg.program"),
        *("filter.own.smudge", "filter.own.clean", "filter.own.process", "pager.rev-list"),
        *("tar.tar.command", "uploadpack.packObjectsHook", "alias.rev-list"),
    ):
        git(theirs, "config", name, str(program))
    git(theirs, "config", "core.hooksPath", str(tmp_path))
    git(theirs, "config", "log.showSignature", "true")
    (theirs / ".git/info/attributes").write_text("* filter=own diff=own\n")
    repository = opened(theirs, tmp_path / "scratch")
    assert summaries(repository, "v1..main", "a") == ["Change 0", "Change 2"]
    (last,) = repository.commits("main", ())
    assert b"\ta\n" in repository.git("ls-tree", "-r", last.tree).stdout
    assert not ran.exists()


def test_variables_of_the_environment_lead_nowhere_else(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR and its like, as a hook of git has them, do not name another repository."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "gone"))
    assert len(opened(theirs, tmp_path / "scratch").commits("v1..main", ())) == 4
