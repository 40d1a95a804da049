"""Applies unified diffs to the text of a tree, exactly, and explains what does not apply.

A hunk may have moved by any number of lines, but every one of its lines must be there: as with `git
apply`, there is no fuzz, since a check of half-applied code says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.beneath import link_on_the_way
from iopermit.kernel.build.patches.diff import FileDiff, read_file_diffs
from iopermit.kernel.build.patches.mail import read_diffs
from iopermit.kernel.build.patches.names import BadNameError, is_build_product
from iopermit.kernel.build.patches.paths import Paths, paths_of
from iopermit.kernel.build.patches.placing import MisfitError, with_hunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.build.patches.text import DiffText
    from iopermit.kernel.build.source import Source

_NEVER_COMPILED: Final = frozenset(
    {
        *("Documentation", "LICENSES", "MAINTAINERS", "CREDITS", "block", "certs", "crypto"),
        *("drivers", "fs", "ipc", "net", "rust", "samples", "security", "sound"),
        *("tools", "usr", "virt"),
    }
)
"""Top directories and files of a tree that the build of the checked objects never reads."""
_ARCHITECTURES: Final = frozenset({"x86", "Kconfig"})
_TEXTS: Final = (".rst", ".md", ".yaml")
_MODES: Final = {b"100644": False, b"100755": True}
"""The modes of files, and whether they can be executed."""


def apply_patches(source: Source, patches: Sequence[Path], *, reverse: bool = False) -> Source:
    """Return the source with the patches of all files applied, in order.

    Args:
        source: The tree.
        patches: The files.
        reverse: Whether the patches are taken back instead, the last one first.

    Raises:
        KernelTreeError: A file has no diff, is damaged, or does not apply.
    """
    texts = [text for patch in patches for text in read_diffs(patch)]
    for text in reversed(texts) if reverse else texts:
        source = _apply_text(source, text, reverse=reverse)
    return source


def _apply_text(source: Source, text: DiffText, *, reverse: bool) -> Source:
    earlier: set[str] = set()
    files = read_file_diffs(text)
    if not files:
        raise text.error(1, "no header of a file (`--- a/FILE` and `+++ b/FILE`) can be read")
    for file in _undone(files, text) if reverse else files:
        try:
            paths = paths_of(file, source.has)
        except BadNameError as error:
            raise text.error(file.line, str(error)) from error
        if all(map(is_never_compiled, paths.all)):
            source = replace(source, skipped=(*source.skipped, *paths.all))
        else:
            change = _FileChange(source, file, paths, text, frozenset(earlier), undone=reverse)
            source = change.apply()
            earlier.update(paths.all)
    return source


def _undone(files: Sequence[FileDiff], text: DiffText) -> list[FileDiff]:
    """Return what takes the changes of a patch back, the last one first."""
    for file in files:
        if file.copied:
            message = "a copy cannot be taken back; make the patch with `git diff --no-renames`"
            raise text.error(file.line, message)
    return [file.undone for file in reversed(files)]


def is_never_compiled(path: str) -> bool:
    """Return whether a file of a patch has nothing to do with the code that is checked."""
    pure = PurePosixPath(path)
    first, *others = pure.parts
    if first == "arch" and others and others[0] not in _ARCHITECTURES:
        return True
    # Kconfig reads these wherever they are: they can change the configuration.
    if pure.name.startswith("Kconfig"):
        return False
    return first in _NEVER_COMPILED or path.endswith(_TEXTS)


@dataclass(frozen=True)
class _FileChange:
    """One file of a patch, about to be applied."""

    source: Source
    file: FileDiff
    paths: Paths
    text: DiffText
    earlier: frozenset[str] = field(default_factory=frozenset)
    """What the same patch has changed already."""
    undone: bool = False
    """Whether the patch is taken back."""

    def apply(self) -> Source:
        """Return the source with this file changed."""
        self._require_usable()
        old, new = self.paths.old, self.paths.new
        before = b"" if old is None else self.source.read(old)
        if before is None:
            raise self._misfit(f"{old} is not in {self.source.tree}")
        if new is not None and old != new and self.source.has(new):
            raise self._misfit(f"it creates {new}, which is there already")
        after = self._patched(before, old or new or "")
        if new is None and after:
            raise self._misfit(f"it deletes {old}, which has other lines besides")
        changed, modes = dict(self.source.changed), dict(self.source.modes)
        executable = False if old is None else self.source.is_executable(old)
        if old is not None and old != new and not self.file.copied:
            changed[old] = None
        if new is not None:
            changed[new] = after
            mode = self.file.new_mode
            modes[new] = executable if mode is None else _MODES[mode]
        return replace(self.source, changed=changed, modes=modes)

    def _require_usable(self) -> None:
        """Refuse what is no change of a text file of the tree itself."""
        file, names = self.file, self.paths.all
        if file.binary:
            raise self._refused(f"{names[-1]} is a binary change, which is not applied")
        for mode in (file.old_mode, file.new_mode):
            if mode is not None and mode not in _MODES:
                kind = {b"120000": "a symbolic link", b"160000": "a submodule"}.get(mode, "special")
                raise self._refused(f"{names[-1]} is {kind} (mode {mode.decode()})")
        for name in names:
            if is_build_product(name):
                raise self._refused(f"{name} is what a build leaves in a tree, and no source file")
            link = link_on_the_way(self.source.tree, name)
            if link is not None:
                target = (self.source.tree / link).readlink()
                raise self._refused(
                    f"{link} is a symbolic link in the tree (to {target}), and {name} would be "
                    "changed elsewhere; let the patch name the file itself"
                )
        old = self.paths.old
        if old is not None and old != self.paths.new and old in self.source.skipped:
            raise self._refused(f"{old} is renamed or copied, but what was done to it was skipped")
        if file.copied and old in self.earlier:
            raise self._refused(
                f"{old} is copied and changed in one patch; make it with `git diff --no-renames`"
            )

    def _patched(self, before: bytes, path: str) -> bytes:
        """Return the file with all hunks applied."""
        try:
            return with_hunks(before, self.file.hunks, undone=self.undone)
        except MisfitError as error:
            hunk = self.file.hunks[error.number - 1]
            raise self.text.error(
                hunk.line,
                f"{self._does_not} {path}, hunk {error.number} of {len(self.file.hunks)} "
                f"({hunk.title}){error}",
            ) from error

    def _misfit(self, what: str) -> Exception:
        return self._refused(f"{self._does_not} {what}")

    @property
    def _does_not(self) -> str:
        return f"the patch {'cannot be taken back' if self.undone else 'does not apply'}:"

    def _refused(self, what: str) -> Exception:
        return self.text.error(self.file.line, what)
