"""What a job needs on the node that executes it: versions, and files that are the same everywhere.

A result is kept under a key made of what this machine has. So a node has to have the same.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.kernel.errors import KernelTreeError
from iopermit.sweep import identity
from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import TreeSubject

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from iopermit.sweep.jobs import Job


@dataclass(frozen=True)
class Needs:
    """What has to be on a node, and what it is on this machine.

    Attributes:
        versions: by name.
        compiler: what identifies the compiler; empty if no tree is built.
        files: the paths of files, each with the hash of its content.
        trees: the paths of kernel trees, likewise.
        folders: directories that have to be there, whatever is in them.
    """

    versions: tuple[tuple[str, str], ...]
    compiler: str = ""
    files: frozenset[tuple[Path, str]] = frozenset()
    trees: frozenset[tuple[Path, str]] = frozenset()
    folders: frozenset[Path] = frozenset()


def needs_of(jobs: Iterable[Job], folders: Iterable[Path] = ()) -> Needs:
    """Return what jobs need, and directories that have to be there besides."""
    files: set[tuple[Path, str]] = set()
    trees: set[tuple[Path, str]] = set()
    compiler = ""
    for subject in {job.subject for job in jobs}:
        if isinstance(subject, TreeSubject):
            compiler = subject.compiler
            files.update(zip(subject.patches, subject.patch_digests, strict=True))
            if subject.path is not None:
                trees.add((subject.path, subject.digest))
        else:
            files.update(subject.files)
    return Needs(
        tuple(identity.versions().items()),
        compiler,
        frozenset(files),
        frozenset(trees),
        frozenset(folders),
    )


def unmet(needs: Needs) -> list[str]:
    """Return what is missing on the machine that calls this, or is another there."""
    here = identity.versions()
    lacking = [
        f"another {what}: {here.get(what)}, and the machine of the sweep has {version}"
        for what, version in needs.versions
        if here.get(what) != version
    ]
    if needs.compiler:
        lacking += _of_compiler(needs.compiler)
    lacking += [f"no directory {path}" for path in sorted(needs.folders) if not path.is_dir()]
    for path, digest in sorted(needs.files):
        lacking += _of_path(path, digest, _digest_of_file(path))
    for path, digest in sorted(needs.trees):
        lacking += _of_path(path, digest, _digest_of_tree(path))
    return lacking


def _of_compiler(wanted: str) -> list[str]:
    try:
        return [] if identity.compiler() == wanted else ["another compiler"]
    except KernelTreeError as error:
        return [str(error)]


def _of_path(path: Path, wanted: str, found: str | None) -> list[str]:
    if found is None:
        return [f"no {path}"]
    return [] if found == wanted else [f"another content of {path}"]


def _digest_of_file(path: Path) -> str | None:
    try:
        return identity.file_digest(path)
    except SweepError:
        return None


@functools.cache
def _digest_of_tree(path: Path) -> str | None:
    """Return the hash of a tree, which takes seconds, when it was first asked for."""
    try:
        return identity.tree_digest(path)
    except (KernelTreeError, OSError):
        return None
