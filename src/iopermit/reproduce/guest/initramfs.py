"""Writes a file system image for a booting Linux: cpio, format "newc" (initramfs.rst)."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TRAILER = "TRAILER!!!"


@dataclass
class Initramfs:
    """An image in the making. Every file belongs to root."""

    _image: bytearray = field(default_factory=bytearray)
    _inode: int = 0
    _folders: set[str] = field(default_factory=set)

    def folder(self, name: str) -> None:
        """Add a folder, after those that it is in."""
        parts = name.strip("/").split("/")
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            if path and path not in self._folders:
                self._folders.add(path)
                self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes, *, executable: bool = False) -> None:
        """Add a file, readable by everybody."""
        self.folder(name.strip("/").rpartition("/")[0])
        mode = stat.S_IFREG | (0o755 if executable else 0o644)
        self._entry(name.strip("/"), mode, content)

    def program(self, name: str, path: Path) -> None:
        """Add a program of the host."""
        self.file(name, path.read_bytes(), executable=True)

    def character_device(self, name: str, major: int, minor: int) -> None:
        """Add a device node."""
        self.folder(name.strip("/").rpartition("/")[0])
        self._entry(name.strip("/"), stat.S_IFCHR | 0o600, b"", (major, minor))

    def image(self) -> bytes:
        """Return the image."""
        end = Initramfs(bytearray(self._image))
        end._entry(_TRAILER, 0, b"")
        return bytes(end._image)

    def _entry(
        self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)
    ) -> None:
        self._inode += 1
        # inode, mode, uid, gid, links, mtime, size, device, special device, name size, checksum
        fields = [self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
        self._image += b"070701" + b"".join(b"%08X" % value for value in fields)
        self._image += name.encode() + b"\0"
        self._pad()
        self._image += content
        self._pad()

    def _pad(self) -> None:
        self._image += bytes(-len(self._image) % 4)
