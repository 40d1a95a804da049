"""A directory in which kernels of one tree are built: what patches change is compiled anew.

Building a kernel takes minutes, compiling one file and linking seconds. Kbuild knows what is made
of a file, and makes it again if the file is younger: so what a patch changes, and what the patch of
the last build had changed, is written anew, and the rest is left as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.beneath import unlink_beneath, write_beneath
from iopermit.kernel.build.overlay import lay_out
from iopermit.kernel.build.patches.executed import executed_by_make

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from iopermit.kernel.build.kbuild import Failure, Kbuild
    from iopermit.kernel.build.source import Source

_REAL: Final = ("arch/x86/", "init/", "kernel/", "lib/", "mm/")
"""Directories whose files are links of their own in every overlay."""
_COMPILED: Final = (".c", ".h", ".S")
_MODE: Final = 0o644


@dataclass(frozen=True)
class ImageWorkspace:
    """A directory with an overlay, its build, and a note of which files patches had changed.

    Attributes:
        directory: The directory; it exists.
        source: What to build.
        kbuild: The tree's build system, set up for `source` and `build` in it.
        configuration: What is on beyond `allnoconfig`.
        needed: Symbols of it without which a kernel would be of no use.
    """

    directory: Path
    source: Source
    kbuild: Kbuild
    configuration: str
    needed: Collection[str]

    @property
    def _note(self) -> Path:
        return self.directory / "built.json"

    def build(self, variable: str, say: Callable[[str], None]) -> Failure | None:
        """Build the image, in a directory that is empty or as the last build left it.

        Args:
            variable: An assignment for make.
            say: Told what is being done.

        Returns:
            What failed first, if something did.
        """
        built = self._read_note()
        # If what follows is interrupted, there is no note, and the next build begins from nothing.
        self._note.unlink(missing_ok=True)
        if built is not None:
            self._lay_out_again(built)
            say("building what is changed")
        elif (failure := self._begin(say)) is not None:
            return failure
        else:
            say("building it, which takes minutes")
        failure = self.kbuild.build_image(variable)
        # Code that does not compile is an ordinary end of a build.
        if failure is None or failure.target.endswith(".o"):
            self._note.write_text(json.dumps(self._digests()))
        return failure

    def _begin(self, say: Callable[[str], None]) -> Failure | None:
        for entry in (self.kbuild.source, self.kbuild.output):
            shutil.rmtree(entry, ignore_errors=True)
        say("laying out")
        lay_out(self.source, {}, self.kbuild.source)
        self.kbuild.output.mkdir()
        say("configuring a minimal kernel")
        return self.kbuild.configure(self.configuration, self.needed)

    def _lay_out_again(self, built: dict[str, str]) -> None:
        now = self._digests()
        for path in sorted(built.keys() | now.keys()):
            if built.get(path) != now.get(path):
                # Never a link to the tree: its file is older than what was made of the last one.
                unlink_beneath(self.kbuild.source, path)
                content = self.source.read(path) or b""
                write_beneath(self.kbuild.source, path, content, _MODE)

    def _digests(self) -> dict[str, str]:
        """Return a digest of each file that patches change."""
        return {
            path: hashlib.blake2b(content or b"").hexdigest()
            for path, content in self.source.changed.items()
        }

    def _read_note(self) -> dict[str, str] | None:
        with contextlib.suppress(OSError, ValueError):
            note: dict[str, str] = json.loads(self._note.read_text())
            return note
        return None


def only_compiled(source: Source) -> bool:
    """Return whether all that patches change is the text of files that are compiled."""
    return not executed_by_make(source) and all(
        content is not None
        and (source.tree / path).is_file()
        and path.startswith(_REAL)
        and path.endswith(_COMPILED)
        for path, content in source.changed.items()
    )
