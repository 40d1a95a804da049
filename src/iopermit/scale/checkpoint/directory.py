"""The directory of a checkpoint: who may use it, its manifest, and the files of each attempt.

State files only grow, and the manifest says how much of each counts. A new manifest replaces the
old one when all that it counts is on the disk. So there is a complete checkpoint at any moment.

That a file is on the disk does not say that its name is: after a power cut a name may be gone that
was made since its directory was synced (fsync(2)).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from iopermit.cache.locks import locked
from iopermit.engine.whole_file import whole_file
from iopermit.scale.checkpoint.manifest import Manifest
from iopermit.scale.errors import CheckpointError, refused_by_system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MANIFEST: Final = "checkpoint.json"
_ATTEMPT: Final = "attempt-"


class CheckpointDirectory:
    """A directory that one search has for itself."""

    def __init__(self, path: Path) -> None:
        """Name it; see :func:`directory_for`, which makes it and locks it."""
        self.path = path

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint."""
        return (self.path / _MANIFEST).exists()

    def read(self) -> Manifest:
        """Return the manifest. Raises CheckpointError."""
        file = self.path / _MANIFEST
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise CheckpointError(
                f"there is no checkpoint in {self.path}; --checkpoint {self.path} begins one"
            ) from error
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{file} is corrupted: it is no text") from error
        return Manifest.of_text(text, str(file))

    def write(self, manifest: Manifest) -> None:
        """Let a manifest count from now on; its files are on the disk already. Raises OSError."""
        with whole_file(self.path / _MANIFEST) as stream:
            stream.write(manifest.to_text().encode())
        _sync(self.path)

    def attempt(self, number: int) -> Path:
        """Return the directory of an attempt, which is made."""
        path = self.path / f"{_ATTEMPT}{number}"
        path.mkdir(exist_ok=True)
        return path

    def sync_names(self, number: int) -> None:
        """Wait until the names of the files of an attempt are on the disk. Raises OSError."""
        _sync(self.path / f"{_ATTEMPT}{number}")
        _sync(self.path)

    def forget_but(self, number: int) -> None:
        """Remove the files of other attempts."""
        for path in self.path.glob(f"{_ATTEMPT}*"):
            if path.name != f"{_ATTEMPT}{number}":
                shutil.rmtree(path)


@contextlib.contextmanager
def directory_for(path: Path, *, resumed: bool) -> Iterator[CheckpointDirectory]:
    """Give a directory that no other process uses, and that is new unless it is to be resumed.

    Raises:
        CheckpointError: another process uses it, or there is a checkpoint that would be lost.
        ScaleError: it cannot be made, or nothing can be written there.
    """
    if resumed and not path.is_dir():
        raise CheckpointError(f"there is no directory {path}, and so no checkpoint in it")
    with contextlib.ExitStack() as stack:
        with refused_by_system(path):
            if not resumed:
                _make(path)
            alone = stack.enter_context(locked(path, "search", wait=False))
        if not alone:
            raise CheckpointError(f"{path} is in use by another process; wait until it has ended")
        directory = CheckpointDirectory(path)
        if not resumed and directory.has_checkpoint:
            raise CheckpointError(
                f"{path} has a checkpoint already; go on from it with --resume {path}, or remove it"
            )
        yield directory


def _make(path: Path) -> None:
    """Make a directory and those that it is in, and wait until their names are on the disk."""
    made = [each for each in path.parents if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (path, *made):
        # Others may own what it is in, and let it be written to only: then it cannot be opened.
        with contextlib.suppress(PermissionError):
            _sync(each.parent)


def _sync(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
