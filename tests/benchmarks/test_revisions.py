"""Another revision stands beside this one for a while, and does run its own code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks.revisions import Revision, UnknownRevisionError, commit_of, here_and_at
from tests.support.requirements import require_tool

_CLI = """import sys

def main():
    print(sys.argv[1:], {version})
    return {version}
"""


def git(repository: Path, *arguments: str) -> str:
    """Run git as somebody, and return what it prints."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Give a repository with a program called iopermit: committed as 1, changed to 3."""
    require_tool("git")
    folder = tmp_path / "repository"
    package = folder / "src/iopermit"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(_CLI.format(version=1))
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    (package / "cli.py").write_text(_CLI.format(version=3))
    return folder


def test_each_side_runs_its_own_code(repository: Path) -> None:
    """The tree as it stands runs with its changes, and the commit without them."""
    with here_and_at(commit_of("HEAD", repository), repository) as (here, there):
        changed, committed = here.run("a", "b"), there.run("a", "b")
    assert (changed.status, changed.output) == (3, "['a', 'b'] 3\n")
    assert (committed.status, committed.output) == (1, "['a', 'b'] 1\n")


def test_nothing_is_left_behind(repository: Path) -> None:
    """Afterwards the other tree is gone, and git knows of no work tree but the first."""
    with here_and_at(commit_of("HEAD", repository), repository) as (_, there):
        assert there.folder.is_dir()
    assert not there.folder.exists()
    assert git(repository, "worktree", "list").count("\n") == 1


def test_each_side_has_its_own_machine_code(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither side finds what the other compiled, nor what the user did."""
    monkeypatch.setenv("XDG_CACHE_HOME", "the user's")
    program = "import os\ndef main(): print(os.environ['XDG_CACHE_HOME'])\n"
    (repository / "src/iopermit/cli.py").write_text(program)
    git(repository, "commit", "--quiet", "-a", "-m", "two")
    with here_and_at(commit_of("HEAD", repository), repository) as (here, there):
        places = [here.run().output, there.run().output, there.run(cache=Path("third")).output]
    assert places[2] == "third\n"
    assert len(set(places)) == 3


def test_a_revision_without_the_package_is_refused(repository: Path) -> None:
    """Where a revision does not have the package, Python would import the installed one."""
    shutil.rmtree(repository / "src")
    git(repository, "commit", "--quiet", "-a", "-m", "none")
    with (
        pytest.raises(RuntimeError, match="would import"),
        here_and_at(commit_of("HEAD", repository), repository),
    ):
        pass


@pytest.mark.parametrize("name", ["nonsense", "HEAD:src", "--all"])
def test_an_unknown_revision_is_named(repository: Path, name: str) -> None:
    """What is no commit is refused by name, even if it looks like an option."""
    with pytest.raises(UnknownRevisionError, match=f"no revision '{name}'"):
        commit_of(name, repository)


def test_a_failing_command_is_no_measurement(tmp_path: Path) -> None:
    """A command that ends as no check does, stops the comparison and shows its message."""
    revision = Revision(tmp_path, tmp_path / "cache")
    with pytest.raises(RuntimeError, match=r"ended with status 2[\s\S]*no-such-verb"):
        revision.run("no-such-verb")


def test_git_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without git the message names what to install."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnknownRevisionError, match="apt-get install git"):
        commit_of("HEAD", tmp_path)
