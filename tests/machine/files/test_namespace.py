"""The one way from a path to a file: own trees, the host's tree, and the way between them."""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass, field

import pytest

from iopermit.machine.clock import Clock
from iopermit.machine.credentials import Credentials
from iopermit.machine.errors import KernelError
from iopermit.machine.file_status import FileStatus
from iopermit.machine.files.memory_tree import (
    MemoryDirectory,
    MemoryFile,
    MemoryLink,
    MemoryStore,
    UnionDirectory,
)
from iopermit.machine.files.namespace import Namespace
from iopermit.machine.isolation.walks import Answer, Walk, WalkPurpose
from iopermit.machine.memory.physical import PhysicalMemory


@dataclass
class Viewer:
    """Who looks."""

    credentials: Credentials = field(default_factory=Credentials)


@dataclass
class FakeHost:
    """A host that has /etc/passwd, /tmp/below/file and the link /link to /tmp/file."""

    asked: list[tuple[str, int]] = field(default_factory=list)

    def walk(self, walk: Walk) -> Answer:
        """Answer from a table."""
        path = "/".join(walk.path)
        self.asked.append((path, walk.known))
        folder, file = FileStatus(stat.S_IFDIR | 0o755), FileStatus(stat.S_IFREG | 0o644)
        known = {"": folder, "etc": folder, "etc/passwd": file, "tmp": folder,
                 "tmp/below": folder, "tmp/below/file": file}  # fmt: skip
        if walk.path[:1] == ["link"]:
            return Answer(rest=["tmp", "file", *walk.path[1:]], links=walk.links - 1)
        if path in known:
            entries = [("passwd", 1, stat.S_IFREG)] if known[path] is folder else None
            return Answer(path=list(walk.path), status=known[path], entries=entries)
        if "/".join(walk.path[:-1]) in known:
            return Answer(path=list(walk.path[:-1]), missing=walk.path[-1])
        return Answer(errno.ENOENT)


@pytest.fixture
def host() -> FakeHost:
    """Give the host."""
    return FakeHost()


@pytest.fixture
def namespace(host: FakeHost) -> Namespace:
    """Give a namespace with /dev in memory, and /tmp over the host's."""
    store = MemoryStore(PhysicalMemory(8 << 20), Clock())
    made = Namespace(host, store)
    made.trees["tmp"] = UnionDirectory(store, 0o1777, ("tmp",))
    made.trees["dev"] = devices = MemoryDirectory(store, 0o755)
    devices.add("file", MemoryFile(store, 0o640, 0, 0))
    devices.add("closed", closed := MemoryDirectory(store, 0o700))
    closed.add("file", MemoryFile(store, 0o644, 0, 0))
    for name, target in (("relative", "file"), ("absolute", "/etc/passwd"), ("loop", "loop")):
        devices.add(name, MemoryLink(store, target, 0, 0))
    return made


def find(namespace: Namespace, path: str, start: str = "/", **more: bool) -> str:
    """Return the canonical path of what a path leads to."""
    return namespace.find(Viewer(), start, path, WalkPurpose.STATUS, **more).path


@pytest.mark.parametrize(
    ("path", "start", "canonical"),
    [
        ("/dev/file", "/", "/dev/file"), ("//dev/./file", "/", "/dev/file"),
        ("file", "/dev", "/dev/file"), ("/dev/relative", "/", "/dev/file"),
        ("/dev/closed/../file", "/", "/dev/file"), ("/dev/../etc/passwd", "/", "/etc/passwd"),
        ("../etc/passwd", "/dev/closed", "/dev/etc/passwd"), ("/dev/absolute", "/", "/etc/passwd"),
        ("/../../dev/file", "/", "/dev/file"), ("passwd", "/etc", "/etc/passwd"),
        ("/link", "/", "/tmp/file"), ("/tmp/below/file", "/", "/tmp/below/file"),
        ("file", "/tmp/below", "/tmp/below/file"), (".", "/dev", "/dev"), ("/", "/dev", "/"),
    ],
)  # fmt: skip
def test_paths_are_walked_through_all_trees(
    namespace: Namespace, path: str, start: str, canonical: str
) -> None:
    """Links and dots lead from the machine's trees to the host's and back."""
    if canonical == "/dev/etc/passwd":
        with pytest.raises(KernelError):
            find(namespace, path, start)
    else:
        assert find(namespace, path, start) == canonical


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("", errno.ENOENT), ("/dev/loop", errno.ELOOP), ("/dev/file/", errno.ENOTDIR),
        ("/dev/file/x", errno.ENOTDIR), ("/dev/none/x", errno.ENOENT),
        ("/x" * 3000, errno.ENAMETOOLONG), ("/etc/none/x", errno.ENOENT),
        ("/dev/" + "n" * 256, errno.ENAMETOOLONG),
    ],
)  # fmt: skip
def test_errors_are_those_of_linux(namespace: Namespace, path: str, error: int) -> None:
    """What cannot be walked has its own error number."""
    with pytest.raises(KernelError) as caught:
        find(namespace, path)
    assert caught.value.errno == error


def test_search_permission_is_needed(namespace: Namespace) -> None:
    """An ordinary user passes no closed directory of the machine's trees."""
    user = Viewer(Credentials.of_user(1000))
    with pytest.raises(KernelError) as caught:
        namespace.find(user, "/", "/dev/closed/file", WalkPurpose.STATUS)
    assert caught.value.errno == errno.EACCES
    assert namespace.find(Viewer(), "/", "/dev/closed/file", WalkPurpose.STATUS).exists


def test_what_is_written_lies_over_the_host(namespace: Namespace, host: FakeHost) -> None:
    """A new file below a directory of the host gets a directory in memory, which shows both."""
    found = namespace.find(Viewer(), "/", "/tmp/below/new", WalkPurpose.STATUS)
    assert not found.exists
    parent = namespace.parent_for_new(Viewer(), found)
    parent.add(found.name, MemoryFile(namespace.store, 0o600, 0, 0))
    assert namespace.find(Viewer(), "/", "/tmp/below/new", WalkPurpose.STATUS).node is not None
    assert find(namespace, "/tmp/below/../below/new") == "/tmp/below/new"
    assert namespace.find(Viewer(), "/", "/tmp/below/file", WalkPurpose.STATUS).answer is not None
    listed = namespace.find(Viewer(), "/", "/tmp/below", WalkPurpose.STATUS)
    assert [name for name, _, _ in namespace.entries(Viewer(), listed)] == ["new", "passwd"]
    assert ("tmp/below/file", 2) in host.asked


def test_nothing_can_be_made_in_the_hosts_own_directories(namespace: Namespace) -> None:
    """There is no place for it: EROFS; and an ordinary user may not write to root's directory."""
    found = namespace.find(Viewer(), "/", "/etc/new", WalkPurpose.STATUS)
    with pytest.raises(KernelError) as caught:
        namespace.parent_for_new(Viewer(), found)
    assert caught.value.errno == errno.EROFS
    user = Viewer(Credentials.of_user(1000))
    for path in ("/tmp/below/new", "/dev/new"):
        with pytest.raises(KernelError) as caught:
            namespace.parent_for_new(user, namespace.find(user, "/", path, WalkPurpose.STATUS))
        assert caught.value.errno == errno.EACCES
    found = namespace.find(user, "/", "/tmp/new", WalkPurpose.STATUS)
    assert namespace.parent_for_new(user, found) is namespace.trees["tmp"]


def test_the_root_lists_the_own_trees_too(namespace: Namespace) -> None:
    """They are in the root, whatever the host has there."""
    found = namespace.find(Viewer(), "/", "/", WalkPurpose.OPEN)
    names = [name for name, _, _ in namespace.entries(Viewer(), found)]
    assert sorted(names) == ["dev", "passwd", "tmp"]
