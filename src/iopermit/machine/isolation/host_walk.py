"""The walk through the host's files: component by component, on descriptors, by the policy.

No path is ever handed to the host's kernel: each step opens one name in a directory that is open,
without following a link, and looks at what it got. A name that is replaced meanwhile is another
object, which is looked at too. ".." goes back to the descriptor that the walk came from.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from typing import TYPE_CHECKING, Final

from iopermit.machine.file_status import FileStatus
from iopermit.machine.isolation.policy import EXECUTE, READ, HostPolicy, Policy
from iopermit.machine.isolation.walks import Answer, Walk, WalkPurpose, components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.machine.credentials import Credentials

_LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class _Refusal(Exception):  # noqa: N818 - how a walk ends, seen by nobody else
    """The walk fails with an error number."""

    def __init__(self, number: int) -> None:
        self.errno = number
        super().__init__(number)


class HostTree:
    """The files of the host below a root."""

    def __init__(self, policy: Policy, own_trees: frozenset[str]) -> None:
        """Hold the root.

        Args:
            policy: what is shown.
            own_trees: names in the root that are the machine's own.

        Raises:
            OSError: the root cannot be opened.
        """
        self.root = os.open(policy.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.own_trees, self.policy = own_trees, HostPolicy(policy)
        self.program: tuple[int, int] | None = None
        self.program_paths: list[tuple[str, ...]] = []

    def name_program(self, path: Sequence[str], ids: Credentials) -> Answer:
        """Open the program that the user named, and show it from now on wherever it lies.

        Directories on the way to it are passed, though only root may search them: a walk that
        comes through such a directory may only end at this file or, unless the tasks are those of
        an ordinary user, in its directory.
        """
        answer = _Walker(self, Walk(WalkPurpose.EXECUTE, path, ids), naming=True).run()
        if answer.status is not None and answer.descriptor >= 0:
            self.program = (answer.status.device, answer.status.inode)
            named = Walk(WalkPurpose.STATUS, path, ids, follow=False)
            link = _Walker(self, named, naming=True).run()
            self.program_paths = [tuple(answer.path), tuple(link.path)]
        return answer

    def walk(self, walk: Walk) -> Answer:
        """Walk. Whoever takes the answer closes its descriptor."""
        return _Walker(self, walk).run()

    def close(self) -> None:
        """Let go of the root."""
        os.close(self.root)


class _Walker:
    """One walk: where it is, and what is left of it."""

    def __init__(self, tree: HostTree, walk: Walk, *, naming: bool = False) -> None:
        self._tree, self._policy, self._walk, self._naming = tree, tree.policy, walk, naming
        self._directories = [(tree.root, os.fstat(tree.root))]
        self._at: list[str] = []
        self._rest = deque(walk.path)
        self._known, self._links = walk.known, walk.links
        self._must_be_directory = walk.directory
        self._only_program = False
        """Whether the walk came through a directory that it may only pass on the way to the
        program, or to what lies in the program's directory."""

    def run(self) -> Answer:
        try:
            answer = self._go()
            if self._only_program and not self._is_beside_program(answer):
                answer = Answer(errno.EACCES)
        except _Refusal as refusal:
            answer = Answer(refusal.errno)
        except OSError as error:
            answer = Answer(error.errno or errno.EIO)
        except ValueError:
            answer = Answer(errno.ENOENT)
        finally:
            for descriptor, _ in self._directories[1:]:
                os.close(descriptor)
        return answer

    def _is_beside_program(self, answer: Answer) -> bool:
        found = answer.status
        allowed = found is not None and (found.device, found.inode) == self._tree.program
        for path in self._tree.program_paths if self._policy.user is None else ():
            allowed |= answer.path[: len(path) - 1] == list(path[:-1])
        if not allowed and answer.descriptor >= 0:
            os.close(answer.descriptor)
        return allowed

    def _go(self) -> Answer:
        while self._rest:
            name = self._rest.popleft()
            if name == "..":
                if self._go_up():
                    return self._elsewhere()
                continue
            if not self._at and not self._known and name in self._own_trees():
                self._rest.appendleft(name)
                return self._elsewhere()
            answer = self._step(name)
            if answer is not None:
                return answer
        return self._finish(*self._directories[-1])

    def _own_trees(self) -> frozenset[str]:
        return frozenset() if self._naming else self._tree.own_trees

    def _elsewhere(self) -> Answer:
        return Answer(
            path=self._at,
            rest=list(self._rest),
            links=self._links,
            directory=self._must_be_directory,
        )

    def _go_up(self) -> bool:
        """Go to the directory above; return whether that is where the known part ends."""
        self._search(self._directories[-1][1])
        if self._at:
            self._at.pop()
            os.close(self._directories.pop()[0])
        return bool(self._walk.known) and len(self._at) <= self._walk.known

    def _search(self, directory: os.stat_result) -> None:
        """Make sure that names may be looked up in a directory. Raises _Refusal."""
        if self._naming or self._policy.may(EXECUTE, directory, self._walk.ids):
            return
        at = tuple(self._at)
        paths = self._tree.program_paths
        if not any(len(at) < len(path) and path[: len(at)] == at for path in paths):
            raise _Refusal(errno.EACCES)
        self._only_program = True

    def _step(self, name: str) -> Answer | None:
        """Go to a name in the directory; return how the walk ends, if it does."""
        directory, status = self._directories[-1]
        self._search(status)
        try:
            descriptor = os.open(name, _LOOK, dir_fd=directory)
        except FileNotFoundError:
            if self._rest:
                raise
            return Answer(path=self._at, missing=name, directory=self._must_be_directory)
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode) and not self._policy.hides(descriptor, found):
            self._directories.append((descriptor, found))
            self._at.append(name)
            self._known = max(self._known - 1, 0)
            return None
        try:
            return self._leaf(name, descriptor, found)
        finally:
            os.close(descriptor)

    def _leaf(self, name: str, descriptor: int, found: os.stat_result) -> Answer | None:
        """Follow a link, or end at what is no directory. Raises _Refusal."""
        if self._policy.hides(descriptor, found):
            raise _Refusal(errno.EACCES)
        last = not self._rest
        if stat.S_ISLNK(found.st_mode):
            if not last or self._walk.follow or self._must_be_directory:
                return self._follow(os.readlink("", dir_fd=descriptor))
        elif not last or self._must_be_directory:
            raise _Refusal(errno.ENOTDIR)
        self._at.append(name)
        return self._finish(descriptor, found)

    def _follow(self, target: str) -> Answer | None:
        self._links -= 1
        if self._links < 0:
            raise _Refusal(errno.ELOOP)
        if self._known or not target:
            # The known part has no links: something was replaced meanwhile.
            raise _Refusal(errno.ENOENT)
        names, directory = components(target)
        self._must_be_directory |= directory and not self._rest
        self._rest.extendleft(reversed(names))
        if not target.startswith("/"):
            return None
        self._at.clear()
        while len(self._directories) > 1:
            os.close(self._directories.pop()[0])
        return self._elsewhere() if self._walk.known else None

    def _finish(self, descriptor: int, found: os.stat_result) -> Answer:
        """Do at the end of the walk what it is for. Raises _Refusal."""
        answer = Answer(path=self._at, status=FileStatus.of(found))
        match self._walk.operation:
            case WalkPurpose.STATUS:
                pass
            case WalkPurpose.LINK:
                if not stat.S_ISLNK(found.st_mode):
                    raise _Refusal(errno.EINVAL)
                answer.target = os.readlink("", dir_fd=descriptor)
            case WalkPurpose.SEARCH:
                if not stat.S_ISDIR(found.st_mode):
                    raise _Refusal(errno.ENOTDIR)
                self._search(found)
            case WalkPurpose.OPEN:
                self._open(answer, descriptor, found)
            case WalkPurpose.EXECUTE:
                self._execute(answer, descriptor, found)
        return answer

    def _open(self, answer: Answer, descriptor: int, found: os.stat_result) -> None:
        named = self._tree.program == (found.st_dev, found.st_ino)
        if stat.S_ISLNK(found.st_mode):
            raise _Refusal(errno.ELOOP)
        if not named and not self._policy.may(READ, found, self._walk.ids):
            raise _Refusal(errno.EACCES)
        if stat.S_ISDIR(found.st_mode):
            answer.entries = _entries(descriptor)
        elif stat.S_ISREG(found.st_mode):
            answer.descriptor = _reopen(descriptor)
        else:
            raise _Refusal(errno.ENXIO)

    def _execute(self, answer: Answer, descriptor: int, found: os.stat_result) -> None:
        if self._naming or self._tree.program == (found.st_dev, found.st_ino):
            allowed = self._policy.may_execute_named(found)
        else:
            may = self._policy.may(EXECUTE, found, self._walk.ids)
            allowed = may and self._policy.shows(found)
        if stat.S_ISREG(found.st_mode) and allowed:
            answer.descriptor = _reopen(descriptor)
        else:
            answer.error = errno.EACCES


def _reopen(descriptor: int) -> int:
    """Return a descriptor to read from, of the same object: no name is looked up again."""
    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _entries(descriptor: int) -> list[tuple[str, int, int]]:
    """Return name, inode and type of each entry of a directory, in a fixed order."""
    readable = _reopen(descriptor)
    try:
        with os.scandir(readable) as scan:
            return sorted((entry.name, entry.inode(), _type(entry)) for entry in scan)
    finally:
        os.close(readable)


def _type(entry: os.DirEntry[str]) -> int:
    """Return the type bits of a mode; 0 for what is no file, directory or link."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0
