"""Identifies what is built by its content, so that a build can be taken from the cache."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from iopermit.kernel.build.overlay import is_product

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from iopermit.kernel.build.source import Source

_DIRECTORIES = ("arch/x86", "include", "init", "kernel", "lib", "mm", "scripts")
"""All that is compiled, included, or part of Kbuild; besides the files at the top and Kconfig's."""

_SOURCED = re.compile(r'^[ \t]*+o?source[ \t]++"?([^"\s]++)"?', re.MULTILINE)
_ARCHITECTURE = re.compile(r"\$\(?(?:SRCARCH|HEADER_ARCH)\b\)?")


def fingerprint(source: Source, *parts: str | bytes, without: Collection[str] = ()) -> str:
    """Return a name for the content of a tree with patches, and of what else is built with it.

    Args:
        source: The tree.
        parts: What else is built with it.
        without: Files of the tree that are left out.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}\n".encode() + data)
    for path in sorted({*_files(source), *_kconfig_files(source)}.difference(without)):
        data = source.read(path) or b""
        mode = " (mode)" if source.changes_mode(path) else ""
        digest.update(f"{path}{mode}\n{len(data)}\n".encode("utf-8", "surrogateescape") + data)
    return digest.hexdigest()


def _files(source: Source) -> Iterator[str]:
    """Yield the files of the directories that matter, and those that patches change."""
    yield from source.changed
    yield from ("Makefile", "Kbuild")
    for directory in _DIRECTORIES:
        if (source.tree / directory).is_dir():
            yield from _walk(source.tree, directory)


def _walk(tree: Path, directory: str) -> Iterator[str]:
    with os.scandir(tree / directory) as entries:
        for entry in entries:
            path = f"{directory}/{entry.name}"
            if is_product(path, entry):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(tree, path)
            else:
                yield path


def _kconfig_files(source: Source) -> Iterator[str]:
    """Yield the files that Kconfig reads, following `source`."""
    waiting, seen = ["Kconfig"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        names = _SOURCED.findall(source.text(path))
        waiting += [_ARCHITECTURE.sub("x86", name) for name in names]
