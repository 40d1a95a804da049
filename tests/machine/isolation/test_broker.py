"""The broker answers requests of a fixed form, and survives every other message."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.machine.public import public_folder

from iopermit.machine.credentials import Credentials
from iopermit.machine.isolation.broker import Broker, HostFiles
from iopermit.machine.isolation.host_walk import HostTree
from iopermit.machine.isolation.messages import Connection
from iopermit.machine.isolation.policy import Policy
from iopermit.machine.isolation.walks import Walk, WalkPurpose

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def serving() -> Iterator[tuple[socket.socket, list[Any]]]:
    """Serve a folder with one file in a thread; give the other end, and what serving returned."""
    with public_folder() as folder:
        (folder / "file").write_text("contents")
        tree, returned = HostTree(Policy(str(folder)), frozenset()), []
        ours, theirs = socket.socketpair()
        broker = Broker(tree, ours)
        thread = threading.Thread(target=lambda: returned.append(broker.serve(None)))
        thread.start()
        with theirs:
            yield theirs, returned
        thread.join(30)
        ours.close()
        tree.close()
        assert not thread.is_alive()


def test_a_file_comes_as_a_descriptor() -> None:
    """The emulator reads the file that the broker opened; a directory is a list of names."""
    with serving() as (connection, _):
        host = HostFiles(connection)
        answer = host.walk(Walk(WalkPurpose.OPEN, ["file"], Credentials()))
        assert os.read(answer.descriptor, 100) == b"contents"
        os.close(answer.descriptor)
        listed = host.walk(Walk(WalkPurpose.OPEN, [], Credentials()))
        assert [name for name, _, _ in listed.entries or []] == ["file"]
        assert listed.descriptor == -1


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"walk": "open"}, {"walk": "erase", "path": []}, {"walk": "open", "path": "file"},
        {"path": ["a/b"]}, {"path": [".."], "known": 1}, {"path": ["."]}, {"path": [3]},
        {"path": [""]}, {"known": -1}, {"known": 5}, {"links": 10**9}, {"links": "x"},
        {"ids": []}, {"ids": ["root", 0]}, {"ids": None}, {"path": ["x"] * 10000}, {"path": None},
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused(request_: dict[str, Any]) -> None:
    """It gets an error, and the next one is served."""
    whole = {"walk": "open", "path": ["file"], "known": 0, "follow": True, "directory": False,
             "links": 40, "ids": [0, 0]}  # fmt: skip
    with serving() as (connection, _):
        changed = whole | request_ if request_ and "walk" not in request_ else request_
        end = Connection(connection)
        end.send(changed)
        answer, descriptor = end.receive_with_descriptor()
        assert (answer["error"], descriptor) == (errno.EINVAL, -1)
        end.send(whole)
        answer, descriptor = end.receive_with_descriptor()
        assert answer["error"] == 0
        os.close(descriptor)


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", struct.pack("<I", 1 << 31), struct.pack("<I", 4) + b"nope",
     struct.pack("<I", 2) + b"[]", struct.pack("<I", 100000) + b"[" * 100000,
     struct.pack("<I", 10) + b"short"],
)  # fmt: skip
def test_what_is_no_message_ends_the_connection(data: bytes) -> None:
    """The broker gives up, without an exception and without a report."""
    with serving() as (connection, returned):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    assert returned == [None]


def test_a_report_ends_the_service() -> None:
    """What the emulator says about the end of the run is handed on."""
    with serving() as (connection, returned):
        HostFiles(connection).report({"ended": "result"})
    assert returned == [{"ended": "result"}]
