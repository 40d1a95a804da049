"""Builds in a directory: from nothing, or again where only some C files are others than last time.

Making the configuration and Kbuild's own tools takes most of the time of a build. What is left of
the last build of the same tree is used again if all that differs is the text of C files that are
compiled to one object each: that object is removed, and Kbuild makes it anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.configuration import FULL, Configuration
from iopermit.kernel.build.kbuild import Failure, Kbuild
from iopermit.kernel.build.overlay import lay_out, lay_out_again
from iopermit.kernel.build.sandbox import BuildSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from iopermit.kernel.build.source import Source
    from iopermit.kernel.build.toolchain import Toolchain


_INCLUDED: Final = {"arch/x86/xen/iopermit_xen.o": "arch/x86/xen/enlighten_pv.c"}
"""A shim that is compiled in place of an object, and the C file of that, which it includes."""


@dataclass(frozen=True)
class Workspace:
    """A directory with an overlay (`source`), its build (`build`), and a note of what was built.

    Attributes:
        directory: The directory; it exists.
        source: What to build.
        additions: Files that are added to the tree.
        toolchain: With what to build.
        sandbox: How what the tree's build executes is kept from everything else.
        configuration: What the tree is to be configured to.
    """

    directory: Path
    source: Source
    additions: Mapping[str, bytes]
    toolchain: Toolchain
    sandbox: BuildSandbox = field(default_factory=BuildSandbox)
    configuration: Configuration = FULL

    @property
    def kbuild(self) -> Kbuild:
        """The tree's build system, set up for this directory."""
        return Kbuild(
            self.directory / "source",
            self.directory / "build",
            self.toolchain,
            self.sandbox,
            self.source.tree.resolve(),
            self.configuration,
        )

    @property
    def _note(self) -> Path:
        return self.directory / "built.json"

    def build(self, objects: Sequence[str], say: Callable[[str], None]) -> Failure | None:
        """Build all objects that can be built, in an empty directory.

        Args:
            objects: The objects, by path relative to the tree.
            say: Told what is being done.

        Returns:
            What failed first, if something did.
        """
        say("laying out")
        lay_out(self.source, dict(self.additions), self.directory / "source")
        self.kbuild.output.mkdir()
        say("configuring")
        return self.kbuild.configure() or self._make(objects, say)

    def build_again(self, objects: Sequence[str], say: Callable[[str], None]) -> Failure | None:
        """Build as `build` does, in a directory where the same was built but for C files.

        The directory may be empty, or left by an interrupted build; then all is built.
        """
        built = self._read_note()
        if built is None:
            for entry in ("source", "build"):
                shutil.rmtree(self.directory / entry, ignore_errors=True)
            return self.build(objects, say)
        # If what follows is interrupted, there is no note, and the next build begins from nothing.
        self._note.unlink()
        for path, digest in self._digests(objects).items():
            if built.get(path) != digest:
                lay_out_again(self.source, path, self.kbuild.source)
                self.kbuild.forget(_object_of(path))
        return self._make(objects, say)

    def _make(self, objects: Sequence[str], say: Callable[[str], None]) -> Failure | None:
        say(f"building {len(objects)} objects")
        digests = self._digests(objects)
        failure = self.kbuild.build(objects)
        # An object that does not compile is missing, and made when the same is built again. The
        # digests differ if the tree was edited meanwhile: then nobody knows what was compiled.
        if (not failure or failure.target in objects) and digests == self._digests(objects):
            self._note.write_text(json.dumps(digests))
        return failure

    def _read_note(self) -> dict[str, str] | None:
        with contextlib.suppress(OSError, ValueError):
            note: dict[str, str] = json.loads(self._note.read_text())
            return note
        return None

    def _digests(self, objects: Sequence[str]) -> dict[str, str]:
        """Return a digest of each C file of the tree that is compiled to one of the objects."""
        return {
            path: hashlib.blake2b(self.source.read(path) or b"").hexdigest()
            for path in c_files(self.source, objects)
            if path not in self.additions
        }


def c_files(source: Source, objects: Sequence[str]) -> list[str]:
    """Return the tree's C files of which each is compiled to one of the objects."""
    paths = [_INCLUDED.get(path, path.removesuffix(".o") + ".c") for path in objects]
    return [path for path in paths if source.has(path)]


def _object_of(path: str) -> str:
    """Return the object that a C file is compiled to."""
    shims = {text: shim for shim, text in _INCLUDED.items()}
    return shims.get(path, path.removesuffix(".c") + ".o")
