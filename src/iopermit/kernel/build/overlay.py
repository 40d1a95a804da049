"""Lays out a tree with patches and the shim as links to the tree, so that it is never written to.

Kbuild refuses to build outside of a tree that was built inside, and finds that build's objects
through its VPATH. The overlay leaves both out: products of a build in the tree have no link.
Directories in which a build leaves something, or that patches change, are real directories with a
link for each file; the others are one link each, which saves thousands of links. What is written
is written on descriptors and through no link, wherever the tree has some.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from iopermit.kernel.build.beneath import (
    link_beneath,
    link_on_the_way,
    unlink_beneath,
    write_beneath,
)
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iopermit.kernel.build.source import Source

_EXPANDED = (
    "arch/x86",
    "init",
    "kernel",
    "lib",
    "mm",
    "scripts",
)
_EXPANDED_ONCE = ("include",)
_BUILT_DIRECTORIES = {"include/config", "include/generated", "arch/x86/include/generated"}
_BUILT_SUFFIXES = (
    *(".o", ".a", ".ko", ".so", ".s", ".i", ".mod", ".order", ".symvers"),
    *(".tab.c", ".tab.h", ".lex.c"),
)
_ELF = b"\x7fELF"


def lay_out(source: Source, additions: dict[str, bytes], target: Path) -> None:
    """Create the overlay in `target`, which must not exist.

    Args:
        source: The tree and what patches change in it.
        additions: Files to add or replace besides, by path relative to the tree.
        target: The directory to create.

    Raises:
        KernelTreeError: A file to change lies behind a link of the tree.
        OSError: The overlay cannot be written.
    """
    contents = {**source.changed, **additions}
    tree = source.tree.resolve()
    _link_directory(tree, target, "", _real_directories(contents), contents.keys())
    for path, data in contents.items():
        if data is not None:
            _write(source, path, data, target)


def lay_out_again(source: Source, path: str, target: Path) -> None:
    """Show in an overlay what a file is now: a link to the tree, or the changed file.

    Raises:
        KernelTreeError: A directory of the file is a link in the tree.
        OSError: The overlay cannot be written.
    """
    unlink_beneath(target, path)
    if path not in source.changed:
        link_beneath(target, path, source.tree.resolve() / path)
    else:
        _write(source, path, source.read(path) or b"", target)


def _write(source: Source, path: str, data: bytes, target: Path) -> None:
    """Create a file of the overlay: never where a link of the tree leads."""
    try:
        write_beneath(target, path, data, 0o755 if source.is_executable(path) else 0o644)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR, errno.EEXIST}:
            raise
        link = link_on_the_way(target, path) or path
        raise KernelTreeError(
            f"{source.tree / link} is a symbolic link, or there twice, where a kernel tree has a "
            f"directory or a file: {path} cannot be changed without writing to what it links to"
        ) from error


def is_product(path: str, entry: os.DirEntry[str]) -> bool:
    """Return whether a file or directory of a tree comes from a build in the tree, or is hidden."""
    name = entry.name
    if name.startswith(".") or path in _BUILT_DIRECTORIES or name.endswith(_BUILT_SUFFIXES):
        return True
    # Host programs such as scripts/basic/fixdep; scripts have a suffix or begin with `#!`.
    if "." in name or not entry.is_file() or not entry.stat().st_mode & 0o111:
        return False
    with Path(entry.path).open("rb") as file:
        return file.read(len(_ELF)) == _ELF


def _real_directories(contents: Iterable[str]) -> set[str]:
    """Return the directories that must be real because something in them changes, with parents."""
    paths = [*contents, *(f"{path}/x" for path in (*_EXPANDED, *_EXPANDED_ONCE))]
    return {str(parent) for path in paths for parent in PurePosixPath(path).parents}


def _is_real(path: str, real: set[str]) -> bool:
    return path in real or any(path.startswith(f"{directory}/") for directory in _EXPANDED)


def _link_directory(
    tree: Path, target: Path, relative: str, real: set[str], replaced: Collection[str]
) -> None:
    """Link the entries of one directory of the tree, except products of a build."""
    (target / relative).mkdir()
    with os.scandir(tree / relative) as entries:
        for entry in entries:
            path = f"{relative}/{entry.name}" if relative else entry.name
            if path in replaced or is_product(path, entry):
                continue
            if entry.is_dir(follow_symlinks=False) and _is_real(path, real):
                _link_directory(tree, target, path, real, replaced)
            else:
                (target / path).symlink_to(tree / path)
