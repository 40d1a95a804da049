"""Lays out the trees of commits in directories, one for each worker, changing only what differs."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit.kernel.build.patches.diff import read_file_diffs
from iopermit.kernel.build.patches.mail import read_diffs
from iopermit.kernel.build.patches.names import stripped
from iopermit.sweep.errors import SweepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iopermit.sweep.jobs import Commit
    from iopermit.sweep.repository import Repository

_PARTS: Final = (
    *("Makefile", "Kbuild", "arch/x86", "include", "init", "kernel", "lib", "mm", "scripts"),
    *("tools/include", "tools/scripts", "tools/build", "tools/arch/x86", "tools/objtool"),
)
"""What of a kernel tree a check reads and builds, besides files for Kconfig: a quarter of it."""
_LINK: Final = "120000"
_PROGRAM: Final = "100755"
_HEAD: Final = 3
"""Words before the content of an object: its name, its kind, its size."""


class _Entry(NamedTuple):
    """A file of a tree: its mode, and the name of its content."""

    mode: str
    name: str


@dataclass
class _Slot:
    """A directory, and which files of which tree of git are in it."""

    path: Path
    files: dict[str, _Entry]


class Checkouts:
    """Directories for trees of a repository; one job at a time has one.

    From one commit to another only the files that differ are written, so that a build of
    one is mostly that of the other, too.
    """

    def __init__(self, repository: Repository, folder: Path, slots: int) -> None:
        """Make as many directories in a folder as there are workers."""
        self._repository = repository
        self._free: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        for number in range(slots):
            path = folder / f"tree-{number}"
            path.mkdir()
            self._free.put(_Slot(path, {}))

    @contextlib.contextmanager
    def laid_out(self, commit: Commit, patches: Sequence[Path] = ()) -> Iterator[Path]:
        """Give a directory with the tree of a commit, as far as a check with patches needs it.

        Raises:
            SweepError: git cannot read the tree, or it has names that leave the directory.
            KernelTreeError: a patch is damaged.
            OSError: the disk is full, or a file cannot be written.
        """
        slot = self._free.get()
        try:
            self._change(slot, self._wanted(commit, patches))
            yield slot.path
        finally:
            self._free.put(slot)

    def _wanted(self, commit: Commit, patches: Sequence[Path]) -> dict[str, _Entry]:
        named = set(_named_by(patches))
        listed = self._repository.git("ls-tree", "-r", "-z", commit.tree).stdout
        found: dict[str, _Entry] = {}
        for line in listed.decode("utf-8", "surrogateescape").split("\0"):
            about, tab, path = line.partition("\t")
            if not tab or not (_is_part(path) or path in named):
                continue
            mode, kind, name = about.split()
            if kind == "blob":  # A submodule has no files here.
                _require_inside(path)
                found[path] = _Entry(mode, name)
        return found

    def _change(self, slot: _Slot, wanted: dict[str, _Entry]) -> None:
        """Make what is in a directory what is wanted; after a failure it is emptied next time."""
        old, slot.files = slot.files, {}
        if not old:
            shutil.rmtree(slot.path)
            slot.path.mkdir()
        for path, entry in old.items():
            if wanted.get(path) != entry:
                (slot.path / path).unlink()
        fresh = {path: entry for path, entry in wanted.items() if old.get(path) != entry}
        self._write(slot.path, fresh)
        slot.files = wanted

    def _write(self, folder: Path, files: dict[str, _Entry]) -> None:
        """Write files with the content that git has; links last, so that no file goes through one.

        `cat-file` gives what is stored: it asks no attribute and no filter.
        """
        links = {path: entry for path, entry in files.items() if entry.mode == _LINK}
        with _contents(self._repository) as content:
            for path, entry in files.items():
                if path not in links:
                    _write_file(folder / path, content(entry), executable=entry.mode == _PROGRAM)
            for path, entry in links.items():
                target = folder / path
                _make_room(target)
                target.symlink_to(os.fsdecode(content(entry)))


@contextlib.contextmanager
def _contents(repository: Repository) -> Iterator[Callable[[_Entry], bytes]]:
    """Give what returns the content of one file after the other."""
    with subprocess.Popen(
        repository.command("cat-file", "--batch"),
        env=repository.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        given, answered = process.stdin, process.stdout
        assert given is not None  # both are pipes
        assert answered is not None

        def content(entry: _Entry) -> bytes:
            given.write(f"{entry.name}\n".encode())
            given.flush()
            head = answered.readline().split()
            if len(head) != _HEAD or head[1] != b"blob":
                raise SweepError(f"git has no content of {entry.name} in {repository.path}")
            found = answered.read(int(head[2]))
            answered.read(1)
            return found

        try:
            yield content
        finally:
            given.close()
            answered.close()


def _named_by(patches: Sequence[Path]) -> Iterator[str]:
    """Yield what may be the names of the files that patches change."""
    for patch in patches:
        for text in read_diffs(patch):
            for file in read_file_diffs(text):
                for name in (file.old, file.new):
                    if name is not None:
                        yield name.decode("utf-8", "surrogateescape")
                        yield stripped(name).decode("utf-8", "surrogateescape")


def _is_part(path: str) -> bool:
    if PurePosixPath(path).name.startswith("Kconfig"):
        return True
    return any(path == part or path.startswith(f"{part}/") for part in _PARTS)


def _require_inside(path: str) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise SweepError(f"the repository has a file {path!r}, whose name leaves its tree")


def _write_file(file: Path, content: bytes, *, executable: bool) -> None:
    _make_room(file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(file, flags, 0o777 if executable else 0o666), "wb") as stream:
        stream.write(content)


def _make_room(file: Path) -> None:
    """Make the directory of a file; what is left of a directory in its place goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
