"""Places in source code: of a design, or of a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Site:
    """A place in the source of a design, or of a kernel's C code.

    Attributes:
        file: the file; of a kernel's, relative to the tree.
        line: counted from 1.
        column: counted from 1; 0 if not known.
        text: the line.
        function: the function that it is in.
    """

    file: str
    line: int
    column: int
    text: str
    function: str

    @property
    def short(self) -> str:
        """The place as ``file:line``, without directories."""
        return f"{PurePath(self.file).name}:{self.line}"
