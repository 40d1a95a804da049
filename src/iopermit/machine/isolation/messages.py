"""Messages between the emulator and its broker: JSON with a length, and at most one descriptor."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("<I")
MOST: Final = 64 << 20
"""Bytes of the longest message; a directory with a million entries fits."""
_AT_ONCE: Final = 1 << 16
_DESCRIPTOR: Final = struct.Struct("i")
_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode
_ROOM: Final = socket.CMSG_LEN(_DESCRIPTOR.size)


class ConnectionEndedError(Exception):
    """The other process is gone, or does not speak this language."""


class Connection:
    """One end of a connection on which whole messages are sent and received."""

    def __init__(self, connection: socket.socket, most: int = MOST) -> None:
        """Use a stream socket; a message of more than `most` bytes ends the connection."""
        self.socket, self._most = connection, most
        self._rest = b""

    def send(self, message: dict[str, Any], descriptor: int = -1) -> None:
        """Send a message. Raises ConnectionEndedError."""
        data = _ENCODE(message).encode()
        packet = _LENGTH.pack(len(data)) + data
        try:
            if descriptor >= 0:
                rights = array.array("i", [descriptor])
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
                packet = packet[self.socket.sendmsg([packet], ancillary) :]
            if packet:
                self.socket.sendall(packet)
        except OSError as error:
            raise ConnectionEndedError(str(error)) from error

    def receive(self) -> dict[str, Any]:
        """Return the next message; descriptors that came with it are not taken.

        Raises:
            ConnectionEndedError: the other process is gone, or what it sends is no message.
        """
        try:
            return _parsed(self._message())
        except (OSError, ValueError, RecursionError) as error:
            raise ConnectionEndedError(str(error)) from error

    def receive_with_descriptor(self) -> tuple[dict[str, Any], int]:
        """Return the answer to the message that was sent last, and its descriptor (-1: none).

        Raises:
            ConnectionEndedError: as `receive`.
        """
        descriptor = -1
        try:
            self._rest, ancillary, _, _ = self.socket.recvmsg(_AT_ONCE, _ROOM)
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    (descriptor,) = _DESCRIPTOR.unpack_from(data)
            return _parsed(self._message()), descriptor
        except (OSError, ValueError, RecursionError, struct.error) as error:
            if descriptor >= 0:
                os.close(descriptor)
            raise ConnectionEndedError(str(error)) from error

    def _message(self) -> bytes:
        """Return the next message and keep what follows it."""
        data = self._rest
        while len(data) < _LENGTH.size:
            data += self._more(_AT_ONCE)
        (size,) = _LENGTH.unpack_from(data)
        if size > self._most:
            raise ConnectionEndedError(f"a message of {size} bytes")
        parts, missing = [data[_LENGTH.size :]], size + _LENGTH.size - len(data)
        while missing > 0:
            parts.append(self._more(max(missing, _AT_ONCE)))
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def _more(self, size: int) -> bytes:
        data = self.socket.recv(min(size, 1 << 20))
        if not data:
            raise ConnectionEndedError("the end of the connection")
        return data


def _parsed(data: bytes) -> dict[str, Any]:
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ConnectionEndedError("a message that is no object")
    return message
