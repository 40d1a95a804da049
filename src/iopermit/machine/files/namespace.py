"""The one way from a path to a file: through the host's tree and the machine's own trees.

The machine's own trees lie over names in the root: /proc, /dev, /sys and /tmp. In them the walk is
here; in the host's files the broker walks (`HostFiles`), until the path is at its end or comes to
one of the own trees, by whatever links and dots.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from iopermit.machine.errors import KernelError
from iopermit.machine.files.memory_tree import MemoryDirectory, MemoryStore, UnionDirectory
from iopermit.machine.files.nodes import DirectoryNode, FileNode, LinkNode, Node, Viewer
from iopermit.machine.isolation.walks import Answer, Walk, WalkPurpose, components

if TYPE_CHECKING:
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.file_status import Entry, FileStatus

_LONGEST: Final = 4096
"""PATH_MAX."""
_MOST_LINKS: Final = 40


class HostWalker(Protocol):
    """Walks through the host's files."""

    def walk(self, walk: Walk) -> Answer:
        """Walk."""


@dataclass
class Found:
    """What a path leads to.

    Attributes:
        path: the canonical path; of what would be made, if nothing is there.
        node: what is there, in an own tree.
        answer: what is there, in the host's files.
        parent: the directory in which nothing has the last name; None if it is the host's.
    """

    path: str
    node: Node | None = None
    answer: Answer | None = None
    parent: DirectoryNode | None = None

    @property
    def exists(self) -> bool:
        """Whether anything is there."""
        return self.node is not None or self.answer is not None

    @property
    def name(self) -> str:
        """The last component."""
        return self.path.rpartition("/")[2]

    def status(self) -> FileStatus:
        """Return the status. Raises KernelError (ENOENT)."""
        if self.node is not None:
            return self.node.status()
        if self.answer is None or self.answer.status is None:
            raise KernelError(errno.ENOENT)
        return self.answer.status


@dataclass
class _Way:
    """A walk: where it is and what is left."""

    viewer: Viewer
    operation: WalkPurpose
    at: list[str]
    rest: deque[str]
    follow: bool
    directory: bool
    links: int = _MOST_LINKS
    lower: int = 0
    """How many components of a directory of the host, over which one in memory lies, are known."""
    nodes: list[DirectoryNode] = field(default_factory=list)


class Namespace:
    """The tree of names that all programs see."""

    def __init__(self, host: HostWalker, store: MemoryStore) -> None:
        """Show the host's files, without own trees yet; `store` keeps what programs write."""
        self._host, self.store = host, store
        self.trees: dict[str, DirectoryNode] = {}

    def find(
        self,
        viewer: Viewer,
        start: str,
        path: str,
        operation: WalkPurpose,
        *,
        follow: bool = True,
    ) -> Found:
        """Return what a path leads to; for the host's files, the operation is done.

        Args:
            viewer: who asks; it needs the right to search each directory.
            start: the canonical path of the directory that a relative path begins at.
            path: the path.
            operation: what for.
            follow: whether a link at the end is followed.

        Raises:
            KernelError: a directory on the way is absent, or may not be searched, or the host
                refuses the operation. That the last name is absent is no error.
        """
        if not path:
            raise KernelError(errno.ENOENT)
        if len(os.fsencode(path)) >= _LONGEST:
            raise KernelError(errno.ENAMETOOLONG)
        names, directory = components(path)
        at = [] if path.startswith("/") else components(start)[0]
        way = _Way(viewer, operation, at, deque(names), follow, directory)
        while True:
            found = self._advance(way)
            if found is not None:
                return found

    def entries(self, viewer: Viewer, found: Found) -> list[Entry]:
        """Return what a directory has, with those of the host that it lies over."""
        if found.node is None:
            entries = list((found.answer.entries if found.answer else None) or ())
            if found.path == "/":
                shown = {name for name, _, _ in entries}
                own = self.trees.items()
                entries += [(n, t.status().inode, stat.S_IFDIR) for n, t in own if n not in shown]
            return entries
        assert isinstance(found.node, DirectoryNode)
        entries = found.node.entries(viewer)
        if isinstance(found.node, UnionDirectory):
            lower = found.node.lower
            walk = Walk(WalkPurpose.OPEN, lower, viewer.credentials, known=len(lower))
            shown = {name for name, _, _ in entries}
            answer = self._host.walk(walk)
            entries += [entry for entry in answer.entries or () if entry[0] not in shown]
        return sorted(entries)

    def parent_for_new(self, viewer: Viewer, found: Found) -> DirectoryNode:
        """Return the directory in which something new is to get its name. Raises KernelError."""
        parent = found.parent
        if parent is None:
            parent = self._lie_over(viewer, components(found.path)[0][:-1])
        check(viewer, parent.status(), 3)
        return parent

    def _lie_over(self, viewer: Viewer, path: list[str]) -> DirectoryNode:
        """Return a directory in memory that lies over one of the host, below one that does.

        Raises:
            KernelError: EROFS if nothing lies over it, EACCES if the task may not write there.
        """
        directory = self.trees.get(path[0]) if path else None
        if not isinstance(directory, UnionDirectory):
            raise KernelError(errno.EROFS)
        for depth, name in enumerate(path[1:], 2):
            child = directory.children.get(name)
            if child is None:
                lower = tuple(path[:depth])
                walk = Walk(
                    WalkPurpose.STATUS, lower, viewer.credentials, known=depth, follow=False
                )
                status = self._host.walk(walk).status
                if status is None or not stat.S_ISDIR(status.mode):
                    raise KernelError(errno.ENOENT)
                child = UnionDirectory(self.store, status.mode, lower, status.uid, status.gid)
                directory.children[name] = child
            if not isinstance(child, MemoryDirectory):
                raise KernelError(errno.ENOTDIR)
            directory = child
        return directory

    # The walk.

    def _advance(self, way: _Way) -> Found | None:
        """Walk through one tree; return where the walk ends, or None if it goes on elsewhere."""
        if not way.at:
            while way.rest and way.rest[0] == "..":
                way.rest.popleft()
            if way.rest and way.rest[0] in self.trees:
                way.at.append(way.rest.popleft())
        if not way.at or way.at[0] not in self.trees:
            return self._on_host(way, known=0)
        return self._in_own_tree(way)

    def _on_host(self, way: _Way, known: int) -> Found | None:
        walk = Walk(
            way.operation, [*way.at, *way.rest], way.viewer.credentials, known, way.follow,
            way.directory, way.links,
        )  # fmt: skip
        answer = self._host.walk(walk)
        if answer.error:
            raise KernelError(answer.error)
        if answer.rest is not None:
            way.at, way.rest = answer.path, deque(answer.rest)
            way.links, way.directory = answer.links, answer.directory
            return None
        if answer.missing is not None:
            path = "/" + "/".join([*answer.path, answer.missing])
            parent = None
            if known and len(answer.path) == known and way.nodes:
                parent = way.nodes[-1]
            return Found(path, parent=parent)
        return Found("/" + "/".join(answer.path), answer=answer)

    def _in_own_tree(self, way: _Way) -> Found | None:
        viewer = way.viewer
        way.nodes = [self.trees[way.at[0]]]
        for name in way.at[1:]:
            child = way.nodes[-1].lookup(name, viewer)
            if child is None and isinstance(way.nodes[-1], UnionDirectory):
                way.nodes.clear()
                return self._on_host(way, known=len(way.at))
            if not isinstance(child, DirectoryNode):
                raise KernelError(errno.ENOENT)
            way.nodes.append(child)
        while way.rest:
            found, elsewhere = self._step(way, way.rest.popleft())
            if found is not None or elsewhere:
                return found
        return self._end(way, way.nodes[-1])

    def _step(self, way: _Way, name: str) -> tuple[Found | None, bool]:
        """Go to a name in an own tree; return how the walk ends, and whether it leaves the tree."""
        directory, viewer = way.nodes[-1], way.viewer
        check(viewer, directory.status(), 1)
        if name == "..":
            way.at.pop()
            way.nodes.pop()
            return None, not way.nodes
        child = directory.lookup(name, viewer)
        if child is None:
            return self._absent(way, directory, name)
        if isinstance(child, LinkNode) and (way.rest or way.follow or way.directory):
            jumped = child.jump(viewer)
            if jumped is None:
                return None, self._follow(way, child.target(viewer))
            child = jumped
        if isinstance(child, DirectoryNode):
            way.nodes.append(child)
            way.at.append(name)
            return None, False
        if way.rest or way.directory:
            raise KernelError(errno.ENOTDIR)
        way.at.append(name)
        return self._end(way, child), True

    def _absent(self, way: _Way, directory: DirectoryNode, name: str) -> tuple[Found | None, bool]:
        if isinstance(directory, UnionDirectory):
            way.rest.appendleft(name)
            return self._on_host(way, known=len(way.at)), True
        if way.rest:
            raise KernelError(errno.ENOENT)
        return Found("/" + "/".join([*way.at, name]), parent=directory), True

    def _follow(self, way: _Way, target: str) -> bool:
        """Follow a link; return whether it leads out of the tree."""
        way.links -= 1
        if way.links < 0:
            raise KernelError(errno.ELOOP)
        names, directory = components(target)
        way.directory |= directory and not way.rest
        way.rest.extendleft(reversed(names))
        if target.startswith("/"):
            way.at.clear()
            return True
        return False

    def _end(self, way: _Way, node: Node) -> Found:
        """Check at the end of a walk what the operation needs. Raises KernelError."""
        status = node.status()
        match way.operation:
            case WalkPurpose.LINK if not isinstance(node, LinkNode):
                raise KernelError(errno.EINVAL)
            case WalkPurpose.SEARCH:
                if not isinstance(node, DirectoryNode):
                    raise KernelError(errno.ENOTDIR)
                check(way.viewer, status, 1)
            case WalkPurpose.EXECUTE:
                if not isinstance(node, FileNode) or not stat.S_ISREG(status.mode):
                    raise KernelError(errno.EACCES)
                check(way.viewer, status, 1)
        return Found("/" + "/".join(way.at), node=node)


def check(viewer: Viewer, status: FileStatus, wanted: int) -> None:
    """Make sure that a task may use a file (bits 4, 2, 1). Raises KernelError (EACCES)."""
    ids: Credentials = viewer.credentials
    if not ids.may(wanted, status.mode, status.uid, status.gid):
        raise KernelError(errno.EACCES)
