"""Asks git about a repository of others, so that nothing which its configuration names is run.

The repository itself is asked for names and settings only, by plumbing that runs no program. All
else is asked of an empty repository of our own, which borrows its objects: what the configuration
of the other one says of hooks, filters, external diffs, pagers, signatures, file monitors and
remotes is never read there. Whether git trusts the directory of another user (`safe.directory`) is
left to git and its user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OPTIONS: Final = (
    *("--no-pager", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}", "-c", "protocol.allow=never"),
)
"""What every git is told: no hook, no monitor, no attributes but the tree's, no transport."""
_KEPT: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
"""Variables of git's user that name his own configuration, where `safe.directory` is."""
_ALWAYS: Final = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_NO_CONFIGURATION: Final = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_MOST: Final = 100_000
"""Commits of a range: more take longer than anybody waits."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment for git: without the caller's variables about repositories."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT
    }
    return inherited | _ALWAYS | more


class Repository:
    """Commits and trees of a repository, read through one of our own that borrows its objects."""

    def __init__(self, path: Path, scratch: Path) -> None:
        """Make the borrowing repository in `scratch`, an empty directory.

        Raises:
            SweepError: there is no git, or no repository, or git does not trust its owner.
        """
        if shutil.which("git") is None:
            raise SweepError("revisions need git; on Debian and Ubuntu: apt-get install git")
        if not path.is_dir():
            raise SweepError(f"there is no directory {path}; `repository` names one of git")
        self.path = path
        self._git_dir = scratch / "borrowing.git"
        objects = self._ask_theirs("rev-parse", "--git-path", "objects")
        shallow = path / self._ask_theirs("rev-parse", "--git-path", "shallow")
        form = self._ask_theirs("rev-parse", "--show-object-format")
        location = str((path / objects).resolve())
        if "\n" in location:
            raise SweepError(f"{path}: git cannot borrow from a path with a line break")
        command = ("init", "--quiet", "--bare", "--template=", f"--object-format={form}")
        self._run([*command, str(self._git_dir)], cwd=scratch)
        (self._git_dir / "objects/info").mkdir(exist_ok=True)
        (self._git_dir / "objects/info/alternates").write_text(f"{location}\n", encoding="utf-8")
        if shallow.is_file():
            shutil.copyfile(shallow, self._git_dir / "shallow")

    def commits(self, rev: str, paths: Sequence[str]) -> list[Commit]:
        """Return the commits of a revision or of a range ``FROM..TO``, oldest first.

        Of a range these are FROM, and the commits behind it up to TO on the line of first parents
        that touch one of the paths (any, if there are none).

        Raises:
            SweepError: there is no such revision, or FROM is no ancestor of TO.
        """
        first, dots, last = rev.partition("..")
        if not dots:
            return self._described([self._resolved(rev)])
        if last.startswith(".") or not first or not last:
            raise SweepError(f"rev = {rev!r}: write FROM..TO, with a revision on each side")
        begin, end = self._resolved(first), self._resolved(last)
        if self.git("merge-base", "--is-ancestor", begin, end, good=(0, 1)).returncode:
            raise SweepError(f"rev = {rev!r}: {first} is no ancestor of {last} in {self.path}")
        command = ("rev-list", "--first-parent", "--reverse", f"{begin}..{end}", "--", *paths)
        hashes = self.git(*command).stdout.decode().split()
        if len(hashes) > _MOST:
            raise SweepError(f"rev = {rev!r}: {len(hashes)} commits; name `paths`, or a range")
        return self._described([begin, *hashes])

    def git(
        self, *arguments: str, good: Sequence[int] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git on the borrowing repository.

        Raises:
            SweepError: it ends with another status than a good one.
        """
        return self._run([f"--git-dir={self._git_dir}", *arguments], good=good)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of git on the borrowing repository; see `environment`."""
        return ["git", *OPTIONS, f"--git-dir={self._git_dir}", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment for `command`."""
        return environment(**_NO_CONFIGURATION)

    def _described(self, hashes: Sequence[str]) -> list[Commit]:
        wanted = "".join(f"{each}\n" for each in hashes).encode()
        form = "--format=%H%x00%T%x00%s"
        command = ("rev-list", "--no-walk=unsorted", "--no-commit-header", form, "--stdin")
        done = self._run([f"--git-dir={self._git_dir}", *command], given=wanted)
        # Not splitlines(): a message may have other characters that end lines.
        lines = done.stdout.decode("utf-8", "replace").split("\n")
        return [Commit(*line.split("\0", 2)) for line in lines if line]

    def _resolved(self, name: str) -> str:
        """Return the full hash of a revision that the repository knows."""
        options = ("--verify", "--quiet", "--end-of-options")
        done = self._theirs(["rev-parse", *options, f"{name}^{{commit}}"], good=(0, 1, 128))
        if done.returncode:
            raise SweepError(f"there is no revision {name!r} in {self.path}")
        return done.stdout.decode().strip()

    def _ask_theirs(self, *arguments: str) -> str:
        return os.fsdecode(self._theirs(list(arguments)).stdout).removesuffix("\n")

    def _theirs(
        self, arguments: list[str], good: Sequence[int] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        """Ask the repository itself; only what reads names and settings, and runs nothing."""
        return _git(arguments, environment(), cwd=self.path, good=good)

    def _run(
        self,
        arguments: list[str],
        *,
        cwd: Path | None = None,
        given: bytes = b"",
        good: Sequence[int] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        where = cwd or self._git_dir
        return _git(arguments, self.environment, cwd=where, given=given, good=good)


def _git(
    arguments: list[str],
    variables: dict[str, str],
    *,
    cwd: Path,
    given: bytes = b"",
    good: Sequence[int] = (0,),
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *OPTIONS, *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=variables, input=given, capture_output=True, check=False
    )
    if done.returncode not in good:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        reason = said or f"it ended with status {done.returncode}"
        raise SweepError(f"git {arguments[0]} in {cwd}: {reason}")
    return done
