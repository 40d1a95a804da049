"""Makes git repositories whose commits bring a fault into a tree, and take it out again."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from tests.support.requirements import require_tool

if TYPE_CHECKING:
    from pathlib import Path

INTRODUCED: Final = 5
"""The commit that plants the fault; the first one has the number 0."""
REPAIRED: Final = 9
"""The commit that takes it out."""
COMMITS: Final = 12
"""Commits behind the first one."""
FILE: Final = "arch/x86/kernel/ioport.c"
"""The file that every commit changes."""


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository, without the user's configuration, and return what it printed."""
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    quick = ("-c", "core.compression=0", "-c", "gc.auto=0", "-c", "init.defaultBranch=main")
    command = [str(require_tool("git")), "-C", str(repository), *identity, *quick, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def history(repository: Path, tree: Path, sound: str, faulty: str) -> list[str]:
    """Make a repository of a tree whose `FILE` is faulty in some commits; return all commits.

    The tree itself is only read. Every commit changes the file a little.
    """
    repository.mkdir()
    git(repository, "init", "--quiet")
    git(repository, f"--work-tree={tree}", "add", "--all", "--force", ".")
    commits = []
    for number in range(COMMITS + 1):
        text = faulty if INTRODUCED <= number < REPAIRED else sound
        commits.append(commit(repository, FILE, f"{text}\n/* {number} */\n", f"Change {number}"))
    return commits


def commit(repository: Path, path: str, text: str, message: str) -> str:
    """Commit a file with a text, besides what the index has, and return the commit."""
    file = repository / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    git(repository, "add", "--force", "--", path)
    git(repository, "commit", "--quiet", "-m", message)
    return git(repository, "rev-parse", "HEAD")


def described(
    folder: Path, repository: Path, rev: str, *, more: str = "", events: str = "ioperm,preempt"
) -> Path:
    """Write the description of a sweep over revisions, and return its file."""
    file = folder / "sweep.toml"
    file.write_text(
        f'events = ["{events}"]\n{more}\n'
        f'[[revisions]]\nname = "history"\nrepository = "{repository}"\nrev = "{rev}"\n'
    )
    return file
