"""The directory where builds are kept: complete and sealed ones only, published in one step."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iopermit.cache.directory_seal import SEAL, require_sealed, seal_directory
from iopermit.cache.errors import RejectedError, UntrustedError, explain_once
from iopermit.cache.eviction import LEFTOVER, discard, remove, trim
from iopermit.cache.files import sync
from iopermit.cache.key import SealingKey, fresh_key, sealing_key
from iopermit.cache.locations import CACHE_VARIABLE, kernel_builds
from iopermit.cache.locks import locked
from iopermit.kernel.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.cache.entry import Origin

_STALE_SECONDS = 60
"""The age from which a directory of an unfinished build that nobody has locked is left over."""

_LASTING = 4
"""The number of lasting workspaces that are kept, of about 30 MB each."""


@dataclass(frozen=True)
class Cache:
    """A directory of complete builds, each named after the content of what was built.

    Attributes:
        root: The directory; only the user can write to it.
        key: What builds are sealed with.
        limit: How many bytes are kept.
    """

    root: Path
    key: SealingKey
    limit: int

    def find(self, origin: Origin) -> Path | None:
        """Return the directory of a complete build, if it is what was published."""
        path = self.root / origin.made_of
        if not self._is_sealed(path, origin):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return path

    def locked(self, key: str) -> contextlib.AbstractContextManager[bool]:
        """Let one process at a time build the same."""
        return locked(self.root, key)

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give a directory for a build that is removed afterwards, however it ends."""
        self._remove_leftovers()
        path = Path(tempfile.mkdtemp(prefix=LEFTOVER, dir=self.root))
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)

    @contextlib.contextmanager
    def lasting_workspace(self, origin: Origin) -> Iterator[Path]:
        """Give a directory for builds that is still there next time, to one process at a time.

        It has Kbuild's own programs, which are executed: what is not as it was left is not used.
        """
        name = f"base-{origin.made_of}"
        with self.locked(name):
            path = self.root / name
            if not self._is_sealed(path, origin):
                discard(path)
                path.mkdir(0o700)
            # If what follows is interrupted, nobody knows what is in it.
            (path / SEAL).unlink(missing_ok=True)
            os.utime(path)
            try:
                yield path
            except Exception:
                # Code that does not compile is an ordinary end of a build.
                self._seal(path, origin)
                raise
            self._seal(path, origin)
        self._remove_old_workspaces()

    def publish(self, origin: Origin, files: Path) -> Path:
        """Make a directory of files the complete build of an origin, at once or not at all."""
        target = self.root / origin.made_of
        for file in files.rglob("*"):
            sync(file)
        seal_directory(files, origin, self.key)
        discard(target)
        files.rename(target)
        sync(self.root)
        trim(self.root, self.limit, directories=True)
        return target

    def _is_sealed(self, path: Path, origin: Origin) -> bool:
        try:
            require_sealed(path, origin, self.key)
        except RejectedError as error:
            explain_once(error, f"a cached build ({path.name})")
            return False
        except OSError:
            return False
        return True

    def _seal(self, workspace: Path, origin: Origin) -> None:
        """Seal a workspace; without a seal the next build begins from nothing."""
        with contextlib.suppress(OSError, RejectedError):
            seal_directory(workspace, origin, self.key)

    def _remove_leftovers(self) -> None:
        """Remove what builds left whose process was killed."""
        for path in self.root.glob(f"{LEFTOVER}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _STALE_SECONDS:
                    remove(path)

    def _remove_old_workspaces(self) -> None:
        """Remove all but the lasting workspaces that were used last."""
        paths = [path for path in self.root.glob("base-*") if path.is_dir()]
        paths.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in paths[_LASTING:]:
            with contextlib.suppress(OSError):
                remove(path)


def open_cache(directory: Path | None = None) -> Cache:
    """Return the cache in a directory, by default the user's; or one for this process alone.

    That one is used, and a line says so, if others could have written to the directory, or if no
    key for seals can be kept.

    Raises:
        BuildError: Others can write to the directory for temporary files, too.
        OSError: The directory cannot be made.
    """
    try:
        shelf = kernel_builds(directory)
        return Cache(shelf.ready(), sealing_key(), shelf.limit)
    except UntrustedError as error:
        explain_once(error)
    temporary = tempfile.mkdtemp(prefix="iopermit-")
    atexit.register(_remove_own, temporary, os.getpid())
    shelf = kernel_builds(Path(temporary))
    try:
        return Cache(shelf.ready(), fresh_key(), shelf.limit)
    except UntrustedError as error:
        raise BuildError(
            f"there is no directory to build in: {error}, or TMPDIR, or {CACHE_VARIABLE}"
        ) from error


def _remove_own(directory: str, process: int) -> None:
    """Remove a temporary directory when the process ends that made it, not its children."""
    if os.getpid() == process:
        shutil.rmtree(directory, ignore_errors=True)


def prepare_kept(directory: Path) -> Path:
    """Create the directory in which the user wants to keep a build.

    Raises:
        BuildError: It has something in it, or cannot be created.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        occupied = any(directory.iterdir())
    except OSError as error:
        raise BuildError(f"cannot keep the build in {directory}: {error.strerror}") from error
    if occupied:
        raise BuildError(f"{directory}, where the build is to be kept, is not empty")
    return directory.resolve()
