"""Messages between the emulator and its broker: JSON with a length, and at most one descriptor."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("<I")
MOST: Final = 64 << 20
"""Bytes of the longest message; a directory with a million entries fits."""


class ConnectionEndedError(Exception):
    """The other process is gone, or does not speak this language."""


def send(connection: socket.socket, message: dict[str, Any], descriptor: int = -1) -> None:
    """Send a message. Raises ConnectionEndedError."""
    data = json.dumps(message, separators=(",", ":")).encode()
    packet = _LENGTH.pack(len(data)) + data
    try:
        if descriptor >= 0:
            sent = socket.send_fds(connection, [packet], [descriptor])
            packet = packet[sent:]
        connection.sendall(packet)
    except OSError as error:
        raise ConnectionEndedError(str(error)) from error


def receive(connection: socket.socket, most: int = MOST) -> tuple[dict[str, Any], int]:
    """Return the next message, and the descriptor that came with it (-1: none).

    Args:
        connection: to the other process.
        most: bytes; a longer message ends the connection.

    Raises:
        ConnectionEndedError: the other process is gone, or what it sends is no message.
    """
    descriptors: list[int] = []
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, _LENGTH.size, 1)
        message = _parsed(_whole(connection, data, most))
    except (OSError, ValueError, RecursionError) as error:
        _close(descriptors)
        raise ConnectionEndedError(str(error)) from error
    except ConnectionEndedError:
        _close(descriptors)
        raise
    return message, descriptors[0] if descriptors else -1


def _whole(connection: socket.socket, data: bytes, most: int) -> bytes:
    """Return the message whose length begins with `data`."""
    while len(data) < _LENGTH.size:
        data += _more(connection, _LENGTH.size - len(data))
    (missing,) = _LENGTH.unpack(data)
    if missing > most:
        raise ConnectionEndedError(f"a message of {missing} bytes")
    parts: list[bytes] = []
    while missing > 0:
        parts.append(_more(connection, missing))
        missing -= len(parts[-1])
    return b"".join(parts)


def _parsed(data: bytes) -> dict[str, Any]:
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ConnectionEndedError("a message that is no object")
    return message


def _more(connection: socket.socket, size: int) -> bytes:
    data = connection.recv(min(size, 1 << 20))
    if not data:
        raise ConnectionEndedError("the end of the connection")
    return data


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
