"""Which files of a tree the names in a diff mean, with or without a component in front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.kernel.build.patches.names import BadNameError, path_of, shown, stripped

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.kernel.build.patches.diff import FileDiff


@dataclass(frozen=True)
class Paths:
    """The files that a part of a patch is about, relative to the tree.

    Attributes:
        old: The file before; `None` if it is created.
        new: The file afterwards; `None` if it is deleted.
    """

    old: str | None
    new: str | None

    @property
    def all(self) -> tuple[str, ...]:
        """Both, if there are two."""
        return tuple(dict.fromkeys(path for path in (self.old, self.new) if path is not None))


def paths_of(file: FileDiff, has: Callable[[str], bool]) -> Paths:
    """Return the files that a part of a patch is about.

    Args:
        file: The part.
        has: Whether the tree has a file.

    Raises:
        BadNameError: A name leads out of the tree, or it cannot be told which file is meant.
    """
    if file.exact:
        old, new = file.old, file.new
    elif file.old is None or file.new is None:
        only = _only(file.old or file.new or b"", has, created=file.old is None)
        old, new = (None, only) if file.old is None else (only, None)
    else:
        old = new = _common(file.old, file.new, has)
    paths = [None if name is None else path_of(name) for name in (old, new)]
    return Paths(*paths)


def _common(old: bytes, new: bytes, has: Callable[[str], bool]) -> bytes:
    """Return the name of a file that is changed: `kernel/a.c`, or `x/kernel/a.c`."""
    if old == new:
        return _only(old, has, created=False)
    if stripped(old) != stripped(new) or not stripped(old):
        raise BadNameError(
            f"{shown(old)} and {shown(new)} are different files; make the patch with `git diff -M`"
        )
    path_of(old)
    return stripped(new)


def _only(name: bytes, has: Callable[[str], bool], *, created: bool) -> bytes:
    """Return the name of a file of which the patch has one name only."""
    whole, short = path_of(name), stripped(name)
    if not short:
        return name
    if created:
        return _created(name)
    return short if not has(whole) and has(path_of(short)) else name


def _created(name: bytes) -> bytes:
    first = name.partition(b"/")[0]
    if first in {b"a", b"b"}:
        return stripped(name)
    raise BadNameError(
        f"{shown(name)}: it cannot be told whether {shown(first)} is a directory of the tree; "
        f"write b/{shown(name)}, as `git diff` does"
    )
