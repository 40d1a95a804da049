"""Puts another revision of iopermit beside this one, so that both can do the same work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.timing import Run, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).resolve().parent.parent
_MAIN: Final = "import sys; from iopermit.cli import main; sys.exit(main())"
_WHERE: Final = "import iopermit; print(iopermit.__file__)"


class UnknownRevisionError(Exception):
    """Git does not know the revision, or there is no repository to ask."""


@dataclass(frozen=True)
class Revision:
    """A checked-out tree, and the directory where it keeps machine code between runs."""

    folder: Path
    cache: Path

    def run(self, *arguments: str, cache: Path | None = None) -> Run:
        """Run the command line of this revision; ``cache`` replaces its own directory.

        Raises RuntimeError if it ends with another status than holds, violated or undetermined.
        """
        command = [sys.executable, "-c", _MAIN, *arguments]
        environment = self._environment(cache or self.cache)
        return run(command, folder=self.folder, environment=environment, allowed=(0, 1, 3))

    def imported_from(self) -> Path:
        """Return the file from which a command of this revision imports iopermit."""
        command = [sys.executable, "-c", _WHERE]
        done = run(command, folder=self.folder, environment=self._environment(self.cache))
        return Path(done.output.strip())

    def _environment(self, cache: Path) -> dict[str, str]:
        # PYTHONPATH comes before whatever is installed.
        source = str(self.folder / "src")
        return os.environ | {"PYTHONPATH": source, "XDG_CACHE_HOME": str(cache)}


def commit_of(name: str, repository: Path = _ROOT) -> str:
    """Return the full hash of a revision; UnknownRevisionError if there is no such one."""
    if shutil.which("git") is None:
        message = f"no revision {name!r} without git; on Debian: apt-get install git"
        raise UnknownRevisionError(message)
    options = ("--verify", "--quiet", "--end-of-options")
    done = _git(repository, "rev-parse", *options, f"{name}^{{commit}}")
    if done.returncode != 0:
        detail = done.stderr.strip() or "git knows no such commit here"
        message = f"no revision {name!r} in {repository}: {detail}"
        raise UnknownRevisionError(message)
    return done.stdout.strip()


@contextmanager
def here_and_at(commit: str, repository: Path = _ROOT) -> Iterator[tuple[Revision, Revision]]:
    """Give this tree as it stands, changes included, and that of a commit, for a while.

    Raises RuntimeError if git cannot check the commit out, or Python would import another tree.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        there = folder / "tree"
        done = _git(repository, "worktree", "add", "--quiet", "--detach", str(there), commit)
        if done.returncode != 0:
            message = f"git cannot check {commit} out: {done.stderr.strip()}"
            raise RuntimeError(message)
        try:
            yield (
                _proved(Revision(repository, folder / "cache-here")),
                _proved(Revision(there, folder / "cache-there")),
            )
        finally:
            _git(repository, "worktree", "remove", "--force", str(there))


def _proved(revision: Revision) -> Revision:
    imported = revision.imported_from()
    if revision.folder / "src" not in imported.parents:
        message = f"measuring {revision.folder} would import {imported}"
        raise RuntimeError(message)
    return revision


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
