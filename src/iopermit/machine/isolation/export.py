"""Keeps what programs left in memory: the emulator sends it, the broker's process writes it.

Nothing of what is sent is believed: names are single components, made in a directory that is open,
never over something that is there, never through a link. Links are not kept.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK: Final = 1 << 18
"""Bytes of a file in one message."""
_DEEPEST: Final = 200
_LONGEST_NAME: Final = 255


class Sender(Protocol):
    """Sends messages to the broker's process."""

    def keep(self, message: dict[str, Any]) -> None:
        """Send a part of what is to be kept."""


def file_messages(path: list[str], mode: int, chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the messages that a regular file needs."""
    yield {"path": path, "kind": "file", "mode": mode}
    for chunk in chunks:
        yield {"path": path, "kind": "more", "data": base64.b64encode(chunk).decode()}


class Exporter:
    """Writes what is sent below a directory, which has to be empty or absent."""

    def __init__(self, directory: str) -> None:
        """Make the directory.

        Raises:
            OSError: it cannot be made, or something is in it.
        """
        Path(directory).mkdir(parents=True, exist_ok=True)
        if any(Path(directory).iterdir()):
            raise FileExistsError(None, "it is not empty")
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def take(self, message: dict[str, Any]) -> None:
        """Write a part. Raises ValueError and the like if it makes no sense, OSError."""
        path = message["path"]
        if not 0 < len(path) <= _DEEPEST or not all(map(_is_name, path)):
            raise ValueError("a path with strange components")
        parent = os.dup(self._directory)
        try:
            for name in path[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                following = os.open(name, flags, dir_fd=parent)
                os.close(parent)
                parent = following
            self._write(parent, path[-1], message)
        finally:
            os.close(parent)

    @staticmethod
    def _write(parent: int, name: str, message: dict[str, Any]) -> None:
        kind = message["kind"]
        if kind == "directory":
            os.mkdir(name, 0o755, dir_fd=parent)
            return
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
        data = b""
        if kind == "more":
            try:
                data = base64.b64decode(message["data"], validate=True)
            except binascii.Error as error:
                raise ValueError("data that are not base64") from error
        else:
            flags |= os.O_CREAT | os.O_EXCL
        # Without set-user-id and the like: these are a stranger's files.
        mode = 0o644 | int(message.get("mode", 0)) & 0o111
        descriptor = os.open(name, flags, mode, dir_fd=parent)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._directory)


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or name in ("", ".", ".."):
        return False
    return "/" not in name and "\0" not in name and len(os.fsencode(name)) <= _LONGEST_NAME
