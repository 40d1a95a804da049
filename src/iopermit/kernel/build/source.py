"""The text of a kernel tree with patches applied, in memory: the tree itself is never written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A tree, and the files that patches change in it.

    Attributes:
        tree: The unpacked kernel tree.
        changed: For each changed file (path relative to the tree, with slashes) its new bytes;
            `None` for a file that a patch removes.
        skipped: Files that patches change, of which nothing that is built is made.
    """

    tree: Path
    changed: dict[str, bytes | None] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, given relative to the tree; `None` if there is no such."""
        if path in self.changed:
            return self.changed[path]
        try:
            return (self.tree / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def text(self, path: str) -> str:
        """Return the text of a file; empty if there is no such file."""
        return (self.read(path) or b"").decode("utf-8", "replace")

    def has(self, path: str) -> bool:
        """Return whether there is such a file."""
        if path in self.changed:
            return self.changed[path] is not None
        return (self.tree / path).is_file()
