"""Unpacks Debian's kernel source tarballs, as far as a check needs them, once into a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.requirements import require_tool, shared_cache, skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("6.1", "6.12")
_TARBALLS = Path("/usr/src")
_TOOLS = ("gcc", "make", "flex", "bison", "bc", "tar", "xz")
_PARTS = (
    *("Makefile", "Kbuild", "arch/x86", "include", "init", "kernel", "lib", "mm", "scripts"),
    *("tools/include", "tools/scripts", "tools/build", "tools/arch/x86", "tools/objtool"),
)


def build_cache() -> Path:
    """Return the cache of kernel builds: the default with XDG_CACHE_HOME=shared_cache()."""
    return shared_cache() / "iopermit" / "kernel"


def require_tree(version: str) -> Path:
    """Return Debian's kernel tree of a version, or skip the running test, saying what is missing.

    With IOPERMIT_REQUIRE_ALL=1 in the environment the test fails instead.
    """
    for tool in _TOOLS:
        require_tool(tool)
    tarball = _TARBALLS / f"linux-source-{version}.tar.xz"
    if not tarball.exists():
        skip_or_fail(f"needs {tarball}, of Debian's package linux-source-{version}")
    state = tarball.stat()
    tree = shared_cache() / f"linux-source-{version}-{state.st_size}-{state.st_mtime_ns}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tree.with_name(f"{tree.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            _unpack(tarball, f"linux-source-{version}", tree)
    return tree


def _fingerprint(tree: Path) -> dict[str, tuple[int, int, int, str]]:
    """Return mode, size, time of change and content of every file and directory of a tree."""
    found = {}
    for parent, directories, files in os.walk(tree):
        for name in (*directories, *files):
            path = Path(parent, name)
            state = path.lstat()
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = hashlib.blake2b(path.read_bytes()).hexdigest()
            else:
                content = ""
            found[str(path)] = (state.st_mode, state.st_size, state.st_mtime_ns, content)
    return found


@contextmanager
def unchanged(tree: Path) -> Iterator[None]:
    """Fail if anything in a tree changes."""
    before = _fingerprint(tree)
    yield
    assert _fingerprint(tree) == before


def _unpack(tarball: Path, top: str, tree: Path) -> None:
    partial = tree.with_name(f"{tree.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    names = ["*/Kconfig*", *(f"{top}/{part}" for part in _PARTS)]
    options = ["--strip-components=1", "--wildcards", "--use-compress-program=xz -T0"]
    command = ["tar", "-C", str(partial), *options, "-xf", str(tarball), *names]
    subprocess.run(command, check=True)
    partial.rename(tree)
