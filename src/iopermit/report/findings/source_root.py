"""Names of source files for code hosts: relative to the repository, the tree or the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import iopermit

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict

SOURCES: Final = "%SRCROOT%"
"""What uploaders of SARIF replace by the root of their checkout."""
PACKAGE: Final = "IOPERMIT"
"""The directory of an installed iopermit, whose designs are in no repository."""
_INSTALLED: Final = {"site-packages", "dist-packages"}


class SourceRoot:
    """The directory that the files of one verdict are named from.

    Of a kernel tree it is the tree. Of a design it is the git repository that the design's file is
    in, else the working directory, if the file is below it, else the file's directory.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Find it. The working directory does not matter where there is a tree or repository."""
        package = Path(iopermit.__file__).resolve().parent
        self._package = package if _INSTALLED & set(package.parts) else None
        self._above = Path()
        """Where relative names begin: of a kernel's files at the tree, else where Python's do."""
        if verdict.kernel is not None:
            self._root = self._above = Path(verdict.kernel.tree).resolve()
            return
        file = Path(verdict.design_file).resolve()
        self._root = _repository(file.parent) or _working_directory_above(file) or file.parent

    def relative(self, file: str) -> tuple[str, str]:
        """Return the directory that a file is below, or nothing, and its path from there on."""
        path = (self._above / file).resolve()
        for base, root in ((PACKAGE, self._package), (SOURCES, self._root)):
            if root is not None and path.is_relative_to(root):
                return base, path.relative_to(root).as_posix()
        return "", str(path)

    def artifact(self, file: str) -> dict[str, str]:
        """Return a file as an ``artifactLocation`` of SARIF."""
        base, path = self.relative(file)
        if not base:
            return {"uri": Path(path).as_uri()}
        return {"uri": quote(path), "uriBaseId": base}

    def bases(self) -> dict[str, Any]:
        """Return the ``originalUriBaseIds`` of SARIF: what the relative names are relative to."""
        found = {SOURCES: self._root} | ({PACKAGE: self._package} if self._package else {})
        described = {SOURCES: "The root of the sources.", PACKAGE: "The package iopermit."}
        return {
            name: {"uri": f"{root.as_uri().rstrip('/')}/", "description": {"text": described[name]}}
            for name, root in found.items()
            if root is not None
        }


def _repository(directory: Path) -> Path | None:
    """Return the root of the git repository that a directory is in; of a worktree, its own."""
    above = (directory, *directory.parents)
    return next((each for each in above if (each / ".git").exists()), None)


def _working_directory_above(file: Path) -> Path | None:
    try:
        directory = Path.cwd().resolve()
    except FileNotFoundError:  # It was removed.
        return None
    return directory if file.is_relative_to(directory) else None
