"""The broker: it alone can open files, and does so for the emulator as far as the policy goes.

The emulator executes what strangers wrote, and has given up every right by the time it begins. The
broker executes nothing; it reads messages of a fixed form and believes none of them: what a task
may see at most is decided here.
"""

from __future__ import annotations

import errno
import os
import time
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Final

from iopermit.machine.credentials import Credentials
from iopermit.machine.file_status import FileStatus
from iopermit.machine.isolation.messages import Connection, ConnectionEndedError
from iopermit.machine.isolation.walks import Answer, Walk, WalkPurpose

if TYPE_CHECKING:
    import socket

    from iopermit.machine.isolation.export import Exporter
    from iopermit.machine.isolation.host_walk import HostTree

_LONGEST_REQUEST: Final = 1 << 20
_MOST_COMPONENTS: Final = 8192


class HostFiles:
    """The emulator's end of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        """Ask the broker at the other end of `connection`."""
        self._connection = Connection(connection)

    def walk(self, walk: Walk) -> Answer:
        """Let the broker walk. The caller closes the descriptor of the answer."""
        ids = walk.ids
        request = {
            "walk": walk.operation.value,
            "path": list(walk.path),
            "known": walk.known,
            "follow": walk.follow,
            "directory": walk.directory,
            "links": walk.links,
            "ids": [ids.euid, ids.egid, *ids.groups],
        }
        self._connection.send(request)
        message, descriptor = self._connection.receive_with_descriptor()
        return _unpack(message, descriptor)

    def keep(self, message: dict[str, Any]) -> None:
        """Send a part of what is to be kept of the files in memory."""
        self._connection.send({"keep": message})

    def report(self, report: dict[str, Any]) -> None:
        """Tell the broker's process how the run ended."""
        self._connection.send({"report": report})


class Broker:
    """The broker's end of the connection."""

    def __init__(
        self, tree: HostTree, connection: socket.socket, exporter: Exporter | None = None
    ) -> None:
        """Serve the files of `tree` to whoever is at the other end of `connection`.

        Args:
            tree: the host's files.
            connection: to the emulator.
            exporter: takes what is to be kept of the files in memory.
        """
        self._tree, self._exporter = tree, exporter
        self._connection = Connection(connection, _LONGEST_REQUEST)
        self.not_kept = ""
        """Why something could not be kept; "" if all is well."""

    def serve(self, until: float | None) -> dict[str, Any] | None:
        """Answer until the emulator reports how the run ended (None: it ended without).

        Args:
            until: when to give up (time.monotonic); None: never.
        """
        while True:
            try:
                if until is not None:
                    self._connection.socket.settimeout(max(until - time.monotonic(), 0.001))
                message = self._connection.receive()
                report = message.get("report")
                if isinstance(report, dict):
                    return report
                if "keep" in message:
                    self._keep(message["keep"])
                else:
                    self._answer(message)
            except ConnectionEndedError:
                return None

    def _keep(self, part: dict[str, Any]) -> None:
        if self._exporter is None:
            return
        try:
            self._exporter.take(part)
        except OSError as error:
            self.not_kept = error.strerror or "an error"
        except (KeyError, TypeError, ValueError):
            self.not_kept = "the emulator sent what makes no sense"

    def _answer(self, request: dict[str, Any]) -> None:
        try:
            answer = self._tree.walk(_walk(request))
        except (KeyError, TypeError, ValueError, IndexError):
            answer = Answer(errno.EINVAL)
        try:
            self._connection.send(_pack(answer), answer.descriptor)
        finally:
            if answer.descriptor >= 0:
                os.close(answer.descriptor)


def _walk(request: dict[str, Any]) -> Walk:
    """Return what a request asks for. Raises ValueError and the like if it is malformed."""
    path, known, links = request["path"], int(request["known"]), int(request["links"])
    names = [name for name in path if isinstance(name, str) and name and "/" not in name]
    uid, gid, *groups = (int(number) for number in request["ids"])
    if len(names) != len(path) or len(path) > _MOST_COMPONENTS or "." in names:
        raise ValueError("a path with strange components")
    if not 0 <= known <= len(path) or not 0 <= links <= 40 or ".." in path[:known]:
        raise ValueError("numbers out of range")
    return Walk(
        WalkPurpose(request["walk"]),
        path,
        Credentials(euid=uid, egid=gid, groups=tuple(groups)),
        known,
        bool(request["follow"]),
        bool(request["directory"]),
        links,
    )


def _pack(answer: Answer) -> dict[str, Any]:
    packed: dict[str, Any] = {"error": answer.error, "path": answer.path}
    if answer.status is not None:
        packed["status"] = astuple(answer.status)
    if answer.rest is not None:
        packed["rest"], packed["links"] = answer.rest, answer.links
    for name in ("missing", "target", "entries", "directory"):
        value = getattr(answer, name)
        if value:
            packed[name] = value
    if answer.entries is not None:
        packed["entries"] = answer.entries
    return packed


def _unpack(message: dict[str, Any], descriptor: int) -> Answer:
    entries = message.get("entries")
    status = message.get("status")
    return Answer(
        message["error"],
        message["path"],
        message.get("rest"),
        message.get("missing"),
        message.get("links", 0),
        message.get("directory", False),
        None if status is None else FileStatus(*status),
        descriptor,
        message.get("target", ""),
        None if entries is None else [(name, inode, kind) for name, inode, kind in entries],
    )
