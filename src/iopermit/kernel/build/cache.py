"""The directory where builds are kept: complete ones only, published in one step."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STALE_SECONDS = 60
"""The age from which a directory of an unfinished build that nobody has locked is left over."""

_LASTING = 4
"""The number of lasting workspaces that are kept, of about 30 MB each."""


def default_cache() -> Path:
    """Return `$XDG_CACHE_HOME/iopermit/kernel`, by default in `~/.cache`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "iopermit" / "kernel"


@dataclass(frozen=True)
class Cache:
    """A directory of complete builds, each named after the content of what was built.

    Attributes:
        root: The directory; it is created when needed.
    """

    root: Path

    def find(self, key: str) -> Path | None:
        """Return the directory of a complete build."""
        path = self.root / key
        return path if path.is_dir() else None

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Let one process at a time build the same."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give a directory for a build that is removed afterwards, however it ends."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        path = Path(tempfile.mkdtemp(prefix="build-", dir=self.root))
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)

    @contextlib.contextmanager
    def lasting_workspace(self, key: str) -> Iterator[Path]:
        """Give a directory for builds that is still there next time, to one process at a time."""
        with self.locked(f"base-{key}"):
            path = self.root / f"base-{key}"
            path.mkdir(exist_ok=True)
            os.utime(path)
            yield path
        self._remove_old_workspaces()

    def publish(self, key: str, files: Path) -> Path:
        """Make a directory of files the complete build `key`, at once or not at all."""
        target = self.root / key
        files.rename(target)
        return target

    def _remove_leftovers(self) -> None:
        """Remove what builds left whose process was killed."""
        for path in self.root.glob("build-*"):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                        shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(descriptor)

    def _remove_old_workspaces(self) -> None:
        """Remove all but the lasting workspaces that were used last."""
        paths = [path for path in self.root.glob("base-*") if path.is_dir()]
        paths.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in paths[_LASTING:]:
            with (
                path.with_name(f"{path.name}.lock").open("w") as lock,
                contextlib.suppress(OSError),
            ):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)


def prepare_kept(directory: Path) -> Path:
    """Create the directory in which the user wants to keep a build.

    Raises:
        KernelTreeError: It has something in it, or cannot be created.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        occupied = any(directory.iterdir())
    except OSError as error:
        raise KernelTreeError(f"cannot keep the build in {directory}: {error.strerror}") from error
    if occupied:
        raise KernelTreeError(f"{directory}, where the build is to be kept, is not empty")
    return directory.resolve()
