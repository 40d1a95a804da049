"""A disk that loses its power: which files it may have then, if nothing was promised but by fsync.

The model is that of "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014): what was
written since a file was last synced may be there, in part, as zeros or not at all, whatever became
of other files. A name that was made, changed or removed may be or not be until its folder is
synced. Only a rename is atomic.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.scale.traced_calls import FileCall

Fate = Literal["there", "lost", "zeros", "half"]
"""What becomes of something that was written."""
_FATES: Final[tuple[Fate, ...]] = ("there", "lost", "zeros", "half")

Image = dict[str, bytes | None]
"""The content of every file by its path; of a folder None."""


class Loss:
    """What a power cut takes of what was not synced."""

    def __init__(self, name: str, fate: Fate, *, names: bool) -> None:
        """Let all that was written have one fate, and names be as new as can be, or not."""
        self.name, self._fate, self._names = name, fate, names

    def fate(self) -> Fate:
        """Return what becomes of one write."""
        return self._fate

    def keeps_name(self) -> bool:
        """Return whether one change of names is on the disk."""
        return self._names


class RandomLoss(Loss):
    """Each write and each change of a name has a fate of its own."""

    def __init__(self, seed: int) -> None:
        """Draw them from a seed."""
        super().__init__(f"random {seed}", "there", names=True)
        self._random = random.Random(seed)

    def fate(self) -> Fate:
        """Return what becomes of one write."""
        return self._random.choice(_FATES)

    def keeps_name(self) -> bool:
        """Return whether one change of names is on the disk."""
        return self._random.random() < 0.5


LOSSES: Final = (
    Loss("nothing that was not synced", "lost", names=False),
    Loss("everything", "there", names=True),
    Loss("names without data", "lost", names=True),
    Loss("data without names", "there", names=False),
    Loss("zeros", "zeros", names=True),
    Loss("halves", "half", names=True),
)


@dataclass
class _File:
    synced: bytes = b""
    written: list[tuple[int, bytes] | int] = field(default_factory=list)
    """What came since: what was written where, or the length to which it was truncated."""

    def sync(self) -> None:
        self.synced, self.written = self.content(LOSSES[1]), []

    def content(self, loss: Loss) -> bytes:
        found = bytearray(self.synced)
        for one in self.written:
            fate = loss.fate()
            if isinstance(one, tuple):
                _write(found, *one, fate)
            elif fate != "lost":
                found[:] = found[:one].ljust(one, b"\0")
        return bytes(found)


def _write(into: bytearray, place: int, content: bytes, fate: Fate) -> None:
    if fate == "lost":
        return
    if fate == "zeros":
        content = bytes(len(content))
    if fate == "half":
        content = content[: len(content) // 2]
    into.extend(bytes(max(0, place + len(content) - len(into))))
    into[place : place + len(content)] = content


@dataclass
class _Folder:
    synced: dict[str, _File | _Folder] = field(default_factory=dict)
    present: dict[str, _File | _Folder] = field(default_factory=dict)
    changes: list[dict[str, _File | _Folder | None]] = field(default_factory=list)
    """What came since it was synced; each is atomic. None removes a name."""

    def change(self, names: dict[str, _File | _Folder | None]) -> None:
        self.changes.append(names)
        _update(self.present, names)

    def sync(self) -> None:
        self.synced, self.changes = dict(self.present), []

    def image(self, path: str, loss: Loss) -> Image:
        names = dict(self.synced)
        for change in self.changes:
            if loss.keeps_name():
                _update(names, change)
        found: Image = {}
        for name, node in names.items():
            inner = f"{path}{name}"
            if isinstance(node, _Folder):
                found |= {inner: None, **node.image(f"{inner}/", loss)}
            else:
                found[inner] = node.content(loss)
        return found


def _update(
    names: dict[str, _File | _Folder], change: Mapping[str, _File | _Folder | None]
) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Disk:
    """An empty folder that is on the disk, and what is done in it."""

    def __init__(self, folder: Path) -> None:
        """Name the folder."""
        self._folder, self._root = folder, _Folder()

    def do(self, call: FileCall) -> None:
        """Do what a call did."""
        if call.path == self._folder:
            assert call.kind == "sync"
            self._root.sync()
            return
        folder, name = self._at(call.path.parent), call.path.name
        assert isinstance(folder, _Folder)
        node = folder.present.get(name)
        match call.kind:
            case "create":
                if node is None:
                    folder.change({name: _File()})
            case "mkdir":
                folder.change({name: _Folder()})
            case "remove":
                folder.change({name: None})
            case "rename":
                assert call.target is not None
                assert call.target.parent == call.path.parent
                folder.change({name: None, call.target.name: node})
            case "sync":
                assert node is not None
                node.sync()
            case _:
                assert isinstance(node, _File)
                one = (call.place, call.content) if call.kind == "write" else call.place
                node.written.append(one)

    def _at(self, path: Path) -> _File | _Folder:
        node: _File | _Folder = self._root
        for part in path.relative_to(self._folder).parts:
            assert isinstance(node, _Folder)
            node = node.present[part]
        return node

    def image(self, loss: Loss) -> Image:
        """Return what may be there when the power comes again."""
        return self._root.image("", loss)


def lay_out(image: Image, folder: Path) -> None:
    """Make the files and folders of an image in a new folder."""
    folder.mkdir()
    for name, content in image.items():
        path = folder / name
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
