"""Applies unified diffs to the text of a tree, exactly, and explains what does not apply.

A hunk may have moved by any number of lines, but every one of its lines must be there: as with `git
apply`, there is no fuzz, since a check of half-applied code says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchedFile, PatchSet

from iopermit.kernel.build.mail import read_diffs
from iopermit.kernel.build.patch_forms import require_complete
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.build.source import Source

_NO_FILE = "/dev/null"
_NEVER_COMPILED = frozenset(
    {
        *("Documentation", "LICENSES", "MAINTAINERS", "CREDITS", "block", "certs", "crypto"),
        *(
            "drivers",
            "fs",
            "ipc",
            "net",
            "rust",
            "samples",
            "security",
            "sound",
            "tools",
            "usr",
            "virt",
        ),
    }
)
"""Top directories and files of a tree that the build of the checked objects never reads."""
_ARCHITECTURES = frozenset({"x86", "Kconfig"})
_TEXTS = (".rst", ".txt", ".md", ".yaml")


def apply_patches(source: Source, patches: Sequence[Path]) -> Source:
    """Return the source with the patches of all files applied, in order.

    Raises:
        KernelTreeError: A file has no diff, is damaged, or does not apply.
    """
    for patch in patches:
        for text in read_diffs(patch):
            source = _apply_text(source, text, patch)
    return source


def _apply_text(source: Source, text: bytes, patch: Path) -> Source:
    # Latin-1 maps every byte to one character and back: the text's encoding does not matter.
    lines = [f"{line}\n" for line in text.decode("latin-1").split("\n")]
    try:
        files = PatchSet(lines)
    except UnidiffParseError as error:
        raise KernelTreeError(
            f"{patch} is damaged: {str(error).strip()} (has a mail program wrapped its long lines?)"
        ) from error
    require_complete(files, lines, patch)
    for file in files:
        if is_never_compiled(file.path):
            source = replace(source, skipped=(*source.skipped, file.path))
        else:
            source = _FileChange(source, file, patch, lines).apply()
    return source


def is_never_compiled(path: str) -> bool:
    """Return whether a file of a patch has nothing to do with the code that is checked."""
    first, *others = PurePosixPath(path).parts
    if first == "arch":
        return bool(others) and others[0] not in _ARCHITECTURES
    return first in _NEVER_COMPILED or path.endswith(_TEXTS)


@dataclass(frozen=True)
class _FileChange:
    """One file of a patch, about to be applied."""

    source: Source
    file: PatchedFile
    patch: Path
    lines: Sequence[str]

    def apply(self) -> Source:
        """Return the source with this file changed."""
        if self.file.is_binary_file:
            raise KernelTreeError(f"{self.patch}: {self.file.path} is a binary change")
        old, new = self._name(self.file.source_file), self._name(self.file.target_file)
        changed = dict(self.source.changed)
        before = b"" if old is None else self.source.read(old)
        if before is None:
            raise KernelTreeError(
                f"{self.patch} does not apply: {old} is not in {self.source.tree}"
            )
        if old is None and new is not None and self.source.has(new):
            raise KernelTreeError(
                f"{self.patch} does not apply: it creates {new}, which is there already"
            )
        after = self._patched(before.decode("latin-1"), old or new or "").encode("latin-1")
        if old is not None and old != new and not self._is_copy():
            changed[old] = None
        if new is not None:
            changed[new] = after
        return replace(self.source, changed=changed)

    def _is_copy(self) -> bool:
        return any(line.startswith("copy from ") for line in self.file.patch_info or ())

    def _name(self, name: str) -> str | None:
        """Return the path in the tree that a `---` or `+++` line means."""
        if name == _NO_FILE:
            return None
        path = PurePosixPath(name.strip('"'))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise KernelTreeError(f"{self.patch}: the path {name} leads out of the tree")
        whole, stripped = str(path), str(PurePosixPath(*path.parts[1:]))
        # As `patch -p1` unless the path is one of the tree as it stands.
        return whole if len(path.parts) == 1 or self.source.has(whole) else stripped

    def _patched(self, text: str, path: str) -> str:
        """Return the text with all hunks applied."""
        before = text.removesuffix("\n").split("\n") if text else []
        after: list[str] = []
        done = 0
        for number, hunk in enumerate(self.file, start=1):
            self._check_length(hunk)
            old = [line.value.rstrip("\n") for line in hunk.source_lines()]
            new = [line.value.rstrip("\n") for line in hunk.target_lines()]
            start = max(hunk.source_start - 1, 0) if old else hunk.source_start
            place = find(old, before, start, done)
            if place is None:
                raise KernelTreeError(self._explain(number, hunk, before, path))
            after += [*before[done:place], *new]
            done = place + len(old)
        return "".join(f"{line}\n" for line in (*after, *before[done:]))

    def _check_length(self, hunk: Hunk) -> None:
        """Refuse a hunk that goes on behind the end that its header states."""
        last = max((line.diff_line_no or 0 for line in hunk), default=0)
        behind = self.lines[last] if last < len(self.lines) else "\n"
        if behind.startswith(("+", "-", " ")) and not behind.startswith(("-- ", "--- ")):
            raise KernelTreeError(
                f"{self.patch} is damaged: {self.file.path}, {header(hunk)} has more lines than "
                f"its header says: {behind.rstrip()!r}"
            )

    def _explain(self, number: int, hunk: Hunk, before: Sequence[str], path: str) -> str:
        """Say where a hunk would nearly apply and which line stands in its way."""
        old = [line.value.rstrip("\n") for line in hunk.source_lines()]
        new = [line.value.rstrip("\n") for line in hunk.target_lines()]
        head = (
            f"{self.patch} does not apply: {path}, hunk {number} of {len(self.file)} "
            f"({header(hunk)})"
        )
        if find(new, before, hunk.target_start - 1, 0) is not None:
            return f"{head}\n  its new lines are there already: it seems to be applied"
        place = _nearest(old, before, hunk.source_start - 1)
        for offset, expected in enumerate(old):
            found = before[place + offset] if place + offset < len(before) else None
            if found != expected:
                shown = "the end of the file" if found is None else found
                return (
                    f"{head}\n  line {place + offset + 1}\n    expected: {expected}\n"
                    f"    found:    {shown}"
                )
        return f"{head}\n  it comes before the end of the hunk that precedes it"


def header(hunk: Hunk) -> str:
    """Return a hunk's header line."""
    return (
        f"@@ -{hunk.source_start},{hunk.source_length} "
        f"+{hunk.target_start},{hunk.target_length} @@ {hunk.section_header}"
    ).rstrip()


def find(wanted: Sequence[str], lines: Sequence[str], near: int, first: int) -> int | None:
    """Return where `wanted` stands in `lines`, nearest to `near` and not before `first`."""
    last = len(lines) - len(wanted)
    places = [
        place
        for place in range(first, last + 1)
        if lines[place : place + len(wanted)] == wanted or not wanted
    ]
    return min(places, key=lambda place: abs(place - near), default=None)


def _nearest(wanted: Sequence[str], lines: Sequence[str], near: int) -> int:
    """Return the place with the most lines in common, nearest to `near`."""

    def common(place: int) -> int:
        pairs = zip(wanted, lines[place:], strict=False)
        return sum(one == other for one, other in pairs)

    return max(range(len(lines) or 1), key=lambda place: (common(place), -abs(place - near)))
