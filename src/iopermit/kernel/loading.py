"""A kernel tree, built and linked: what a search, a replay or a count starts from."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.engine.verdict import KernelSubject
from iopermit.kernel.build.builder import BuiltTree, build
from iopermit.kernel.build.configuration import FULL, Configuration
from iopermit.kernel.build.source import Source
from iopermit.kernel.execution.host.functions import DATA, FUNCTIONS
from iopermit.kernel.image.lines import Lines
from iopermit.kernel.image.linker import Image, link
from iopermit.kernel.image.unexecuted import unexecuted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iopermit.kernel.build.sandbox import SandboxChoice
    from iopermit.system.site import Site

_COMPARED: Final = 4_000_000
"""Pairs of lines that are compared to find out which lines patches changed."""
_WITH_LINES: Final = (
    "ioport.o",
    "process.o",
    "process_64.o",
    "iopermit_shim.o",
    "iopermit_entry.o",
    "iopermit_xen.o",
)
_OWN_LINES: Final = frozenset({"ioport.c", "process.c", "process_64.c"})
"""Sources that are compiled to one object each, whose line table is always read."""
Place = tuple[str, int]
"""A file of the tree, and the number of a line."""


@dataclass(frozen=True)
class LoadedTree:
    """A tree's code, ready to be executed.

    Attributes:
        built: the objects, and where they come from.
        image: the objects, linked.
        lines: the line tables of the subsystem's objects.
        patches: the patches, as absolute paths.
        suspects: file and number of the lines that patches changed.
        removed: those of them where code was that is no longer there.
        reverse: whether the patches were taken back.
    """

    built: BuiltTree
    image: Image
    lines: Lines
    patches: tuple[Path, ...]
    suspects: frozenset[Place]
    removed: frozenset[Place] = frozenset()
    reverse: bool = False

    def never_executed(self, executed: Iterable[tuple[int, int]]) -> list[Site]:
        """Return the lines that patches changed and of whose code nothing was executed.

        Args:
            executed: address and size of the basic blocks that were executed.
        """
        every = [self.lines]
        if any(Path(file).name not in _OWN_LINES for file, _ in self.suspects):
            # In other objects, and in what is built to be looked at only.
            others = {p: s for p, s in self.image.placed.items() if p.name not in _WITH_LINES}
            callers: dict[Path, dict[int, int]] = {path: {} for path in self.built.callers}
            every.append(Lines({**others, **callers}, self.built.source.text))
        return unexecuted(every, self.suspects, self.removed, executed)

    @property
    def name(self) -> str:
        """How reports call the tree."""
        return self.built.tree.name

    @property
    def subject(self) -> KernelSubject:
        """What identifies the code: the tree, the patches, and a digest of what is executed."""
        digest = hashlib.sha256(self.image.code + self.image.data + self.image.per_cpu)
        return KernelSubject(
            str(self.built.tree),
            tuple(map(str, self.patches)),
            self.built.version,
            self.built.compiler,
            digest.hexdigest(),
            sandboxed=self.built.sandboxed,
            reverse=self.reverse,
            configuration=self.built.configuration.name,
        )


def load_tree(  # noqa: PLR0913 - one parameter per option
    tree: Path,
    patches: Sequence[Path] = (),
    *,
    reverse: bool = False,
    keep: Path | None = None,
    progress: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    sandbox: SandboxChoice = "auto",
    configuration: Configuration = FULL,
) -> LoadedTree:
    """Build a tree with patches, and link its objects: the arguments are those of `build()`.

    Raises:
        KernelTreeError: the tree, a patch or the build cannot be used; the message says why.
    """
    built = build(
        tree,
        patches,
        reverse=reverse,
        keep=keep,
        progress=progress,
        warn=warn,
        sandbox=sandbox,
        configuration=configuration,
    )
    return replace(load_built(built, patches), reverse=reverse)


def link_objects(built: BuiltTree) -> Image:
    """Link the tree's objects with the host's functions and data.

    Raises:
        KernelTreeError: the objects cannot be linked.
    """
    return link(built.objects, FUNCTIONS, DATA)


def load_built(built: BuiltTree, patches: Sequence[Path] = ()) -> LoadedTree:
    """Link the objects of a tree that is built already."""
    image = link_objects(built)
    placed = {p: places for p, places in image.placed.items() if p.name in _WITH_LINES}
    lines = Lines(placed, built.source.text)
    absolute = tuple(path.resolve() for path in patches)
    return LoadedTree(built, image, lines, absolute, *changed_lines(built.source))


def changed_lines(source: Source) -> tuple[frozenset[Place], frozenset[Place]]:
    """Return the lines that patches changed or added, or before which they took some away.

    The second set has those of them where code was.
    """
    found: set[Place] = set()
    removed: set[Place] = set()
    for path in source.changed:
        before = Source(source.tree).text(path).splitlines()
        after = source.text(path).splitlines()
        for old, (first, end) in _parts(before, after):
            gone = any(_is_code(line) for line in old)
            # Code that was taken away is looked for where the text goes on.
            more = gone and not any(line.strip() for line in after[first:end])
            last = _text(after, end) if more else max(first, end - 1)
            changed = _statements(after, first, last + 1)
            places = {(path, number + 1) for number in changed}
            found |= places
            if gone:
                removed |= places
    return frozenset(found), frozenset(removed)


def changed_parts(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first line, and the one behind the last, of each part of a text that is new.

    Where a part is taken away, both are the line behind it. Parts too large to be compared line
    by line are new as a whole: more lines have to be executed then, and none less.
    """
    return [part for _, part in _parts(before, after)]


def _parts(
    before: Sequence[str], after: Sequence[str]
) -> list[tuple[Sequence[str], tuple[int, int]]]:
    """Return the parts of a text that are new, each after the lines that stood there before."""
    shorter = min(len(before), len(after))
    begin = _common(zip(before, after, strict=False))
    pairs = zip(reversed(before), reversed(after), strict=False)
    end = min(_common(pairs), shorter - begin)
    old, new = before[begin : len(before) - end], after[begin : len(after) - end]
    if len(old) * len(new) > _COMPARED:
        return [(old, (begin, begin + len(new)))]
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [
        (old[gone:rest], (begin + first, begin + last))
        for kind, gone, rest, first, last in matcher.get_opcodes()
        if kind != "equal"
    ]


def _common(pairs: Iterable[tuple[str, str]]) -> int:
    """Return how many pairs, before the first that is none, are of equal lines."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _text(lines: list[str], first: int) -> int:
    """Return the first line with text, from a line on."""
    return next((n for n in range(first, len(lines)) if lines[n].strip()), first)


def _statements(lines: list[str], first: int, end: int) -> range:
    """Return the lines of the statements that some lines belong to: code has only one line each."""
    while first > 0 and _continues(lines[first - 1]):
        first -= 1
    while end < len(lines) and _continues(lines[end - 1]):
        end += 1
    return range(first, min(end, len(lines)))


def _continues(line: str) -> bool:
    """Return whether a statement goes on after a line."""
    return _is_code(line) and line.rstrip()[-1] not in ";{}:/"


def _is_code(line: str) -> bool:
    """Return whether a line is neither empty nor a comment nor for the preprocessor."""
    text = line.strip()
    return bool(text) and not text.startswith(("#", "/*", "*", "//"))
