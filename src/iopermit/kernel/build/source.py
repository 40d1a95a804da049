"""The text of a kernel tree with patches applied, in memory: the tree itself is never written."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.kernel.build.beneath import read_regular

if TYPE_CHECKING:
    from pathlib import Path

# A pipe without a writer is opened, and then refused.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
# What is not closed ends with the file: looking for its end again and again takes too long.
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """A tree, and the files that patches change in it.

    Attributes:
        tree: The unpacked kernel tree.
        changed: For each changed file (path relative to the tree, with slashes) its new bytes;
            `None` for a file that a patch removes.
        skipped: Files that patches change, of which nothing that is built is made.
        modes: For each changed file that is there whether it can be executed; where it is not
            said, as in the tree.
    """

    tree: Path
    changed: dict[str, bytes | None] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    modes: dict[str, bool] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, given relative to the tree; `None` if there is no such.

        Raises:
            KernelTreeError: It is a pipe, a device or a socket, or too large.
            OSError: It cannot be read.
        """
        if path in self.changed:
            return self.changed[path]
        try:
            descriptor = os.open(self.tree / path, _READ)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            # A name with a zero byte is that of no file, and so is one that is too long.
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise
        try:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                return None
            return read_regular(descriptor, self.tree / path)
        finally:
            os.close(descriptor)

    def text(self, path: str) -> str:
        """Return the text of a file; empty if there is no such file."""
        return (self.read(path) or b"").decode("utf-8", "replace")

    def code(self, path: str) -> str:
        """Return the text of a file of C without comments; empty if there is no such file."""
        return _COMMENT.sub(" ", self.text(path))

    def has(self, path: str) -> bool:
        """Return whether there is such a file."""
        if path in self.changed:
            return self.changed[path] is not None
        return (self.tree / path).is_file()

    def is_executable(self, path: str) -> bool:
        """Return whether a file can be executed."""
        return self.modes[path] if path in self.modes else os.access(self.tree / path, os.X_OK)

    def changes_mode(self, path: str) -> bool:
        """Return whether patches make a file executable, or one that was no longer so."""
        return path in self.modes and self.modes[path] != os.access(self.tree / path, os.X_OK)
