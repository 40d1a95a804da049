"""Unpacks Debian's kernel source tarballs, as far as a check needs them, once into a cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.packages import PACKAGES, find_package, take_out
from tests.support.requirements import require_tool, shared_cache, skip_or_fail

from iopermit.kernel.build.source import Source
from iopermit.kernel.build.tree import version_of
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("6.1", "6.12")
"""Debian's kernels that the tests are about."""
THOROUGH = os.environ.get("IOPERMIT_TREES", "")
"""How much is tried with trees: a sample; `more`, as `make trees` has; `all`, for hours."""
NEWER = ("7.2", "7.3")
"""Debian's kernels of suites that move on: tests skip without them, whatever is required."""
_TARBALLS = Path("/usr/src")
_TOOLS = ("gcc", "make", "flex", "bison", "bc", "tar", "xz")
_VANILLA = "IOPERMIT_KERNEL_TREES"
"""Names a directory with unpacked trees of kernel.org; tests skip without, whatever is required."""
_CONSOLE = "drivers/tty/serial/8250/8250_core.c"
"""What only a whole tree has, and every kernel that boots here needs."""
_PARTS = (
    *("Makefile", "Kbuild", "arch/x86", "include", "init", "kernel", "lib", "mm", "scripts"),
    *("tools/include", "tools/scripts", "tools/build", "tools/arch/x86", "tools/objtool"),
)


def build_cache() -> Path:
    """Return the cache of kernel builds: the default with XDG_CACHE_HOME=shared_cache()."""
    return shared_cache() / "iopermit" / "kernel"


def require_tree(version: str, *, whole: bool = False) -> Path:
    """Return Debian's kernel tree of a version, or skip the running test, saying what is missing.

    It is made of an installed package, or of one that was only downloaded. Without any the test
    fails with IOPERMIT_REQUIRE_ALL=1 in the environment, unless the version is one of NEWER.

    Args:
        version: the version.
        whole: whether everything is needed, for a kernel that boots; else what a check needs.
    """
    for tool in _TOOLS:
        require_tool(tool)
    name = f"linux-source-{version}"
    installed = _TARBALLS / f"{name}.tar.xz"
    package = None if installed.exists() else find_package(name)
    source = package or installed
    if not source.exists():
        missing = f"needs {installed}, of Debian's package {name}, or the package ({PACKAGES})"
        if version in NEWER:
            pytest.skip(missing)
        skip_or_fail(missing)
    state = source.stat()
    part = "-whole" if whole else ""
    tree = shared_cache() / f"{name}{part}-{state.st_size}-{state.st_mtime_ns}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tree.with_name(f"{tree.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            _unpack(source, name, tree, whole=whole)
    return tree


def vanilla_tree(version: str, *, whole: bool = False) -> Path:
    """Return a tree of kernel.org whose version begins so, or skip the running test.

    It is looked for in the directory that $IOPERMIT_KERNEL_TREES names, by the versions that the
    trees' Makefiles state.

    Args:
        version: the version.
        whole: whether everything is needed, for a kernel that boots; else what a check needs.
    """
    for tool in _TOOLS:
        require_tool(tool)
    folder = os.environ.get(_VANILLA)
    if not folder:
        pytest.skip(f"needs a tree of Linux {version}: {_VANILLA} names no directory with trees")
    needed = (_CONSOLE,) if whole else ()
    for makefile in sorted(Path(folder).glob("*/Makefile")):
        with contextlib.suppress(KernelTreeError):
            if f"{version_of(Source(makefile.parent))}.".startswith(f"{version}.") and all(
                (makefile.parent / path).exists() for path in needed
            ):
                return makefile.parent
    what = "a whole tree" if whole else "a tree"
    pytest.skip(f"needs {what} of Linux {version} in {folder}, which {_VANILLA} names")


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


def _unpack(source: Path, name: str, tree: Path, *, whole: bool) -> None:
    """Unpack all or what is needed of a tarball, or of the tarball in a package."""
    partial = tree.with_name(f"{tree.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    tarball = source
    if source.suffix == ".deb":
        tarball = partial.with_suffix(".tar.xz")
        take_out(source, f"usr/src/{name}.tar.xz", tarball)
    names = [] if whole else ["*/Kconfig*", *(f"{name}/{part}" for part in _PARTS)]
    options = ["--strip-components=1", "--wildcards", "--use-compress-program=xz -T0"]
    command = ["tar", "-C", str(partial), *options, "-xf", str(tarball), *names]
    subprocess.run(command, check=True)
    if tarball != source:
        tarball.unlink()
    partial.rename(tree)
