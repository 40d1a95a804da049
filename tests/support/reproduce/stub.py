"""Plays QEMU's debugger at the other end of a socket: a script of packets and answers."""

from __future__ import annotations

import re
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class DebuggerStub:
    """Answers packets; `asked` has those that came. A context manager; `client` is its socket."""

    def __init__(self, answers: Mapping[str, list[str]], default: str = "OK") -> None:
        """Remember what to answer, each list from the front, then `default`."""
        self.answers = {packet: list(each) for packet, each in answers.items()}
        self.default, self.asked = default, list[str]()
        self.client, self._own = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the client is gone."""
        self.client.close()
        self._thread.join()

    def _serve(self) -> None:
        buffer = b""
        with self._own:
            while content := self._receive():
                buffer += content
                for interrupt, packet in re.findall(rb"(\x03)|\$([^#]*)#..", buffer):
                    self._answer("interrupt" if interrupt else packet.decode())
                buffer = buffer.rpartition(b"#")[2][2:]

    def _receive(self) -> bytes:
        try:
            return self._own.recv(4096)
        except ConnectionResetError:
            return b""

    def _answer(self, packet: str) -> None:
        self.asked.append(packet)
        given = self.answers.get(packet)
        for answer in (given.pop(0) if given else self.default).split("|"):
            if answer == "end":
                self._own.shutdown(socket.SHUT_RDWR)
            elif answer != "silence":
                content = answer.encode()
                self._own.sendall(b"+$%b#%02x" % (content, sum(content) & 0xFF))
