"""The walk through the host's files: what it opens, refuses, and leaves to the machine's trees."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.public import public_folder

from iopermit.machine.credentials import Credentials
from iopermit.machine.isolation.host_walk import HostTree
from iopermit.machine.isolation.policy import Policy
from iopermit.machine.isolation.walks import Answer, Walk, WalkPurpose, components

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT, USER = Credentials(), Credentials.of_user(1000)
OWN = frozenset({"proc", "tmp"})


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder with a file, a directory, links, a pipe, and what only root may read."""
    with public_folder() as made:
        (made / "a").mkdir()
        (made / "a" / "file").write_text("contents")
        (made / "closed").mkdir(0o700)
        (made / "closed" / "file").write_text("secret")
        (made / "secret").write_text("secret")
        (made / "secret").chmod(0o600)
        links = {"up": "..", "file": "a/file", "absolute": "/a/file", "loop": "to-loop",
                 "out": "/../../../etc/passwd", "slash": "a/", "proc": "/proc/self",
                 "dots": "a/../a/./file", "none": "absent"}  # fmt: skip
        for name, target in links.items():
            (made / f"to-{name}").symlink_to(target)
        os.mkfifo(made / "pipe")
        yield made


@pytest.fixture
def tree(folder: Path) -> Iterator[HostTree]:
    """Give the tree of that folder."""
    made = HostTree(Policy(str(folder)), OWN)
    yield made
    made.close()


def walk(
    tree: HostTree, path: str, purpose: WalkPurpose = WalkPurpose.OPEN, **more: object
) -> Answer:
    """Walk a path from the root; close what was opened."""
    names, directory = components(path)
    ids = more.pop("ids", ROOT)
    assert isinstance(ids, Credentials)
    request = Walk(purpose, names, ids, directory=directory, **more)  # type: ignore[arg-type]  # of two kinds
    answer = tree.walk(request)
    if answer.descriptor >= 0:
        os.close(answer.descriptor)
    return answer


@pytest.mark.parametrize(
    "path",
    ["a/file", "/a//file", "a/./file", "a/../a/file", "to-file", "to-absolute", "to-dots",
     "../../a/file", "to-up/a/file", "to-slash/file"],
)  # fmt: skip
def test_every_way_to_a_file_ends_at_its_canonical_path(tree: HostTree, path: str) -> None:
    """Slashes, dots and links lead to the same file; the root is above itself."""
    answer = walk(tree, path)
    assert (answer.error, answer.path) == (0, ["a", "file"])
    assert answer.descriptor >= 0
    assert answer.status is not None
    assert answer.status.size == 8


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("a/file/", errno.ENOTDIR), ("a/file/..", errno.ENOTDIR), ("a/absent/x", errno.ENOENT),
        ("to-loop", errno.ELOOP), ("to-out", errno.ENOENT), ("to-file/", errno.ENOTDIR),
        ("pipe", errno.ENXIO), ("n" * 300, errno.ENAMETOOLONG), ("a\0b", errno.ENOENT),
    ],
)  # fmt: skip
def test_errors_are_those_of_linux(tree: HostTree, path: str, error: int) -> None:
    """What is no directory, absent, a circle of links, or no file has its own error number."""
    assert walk(tree, path).error == error


def test_a_missing_last_name_is_told_with_its_directory(tree: HostTree) -> None:
    """So that the caller can say EROFS rather than ENOENT when it is to be made."""
    for path in ("a/absent", "to-none"):
        answer = walk(tree, path)
        assert (answer.error, answer.missing, answer.descriptor) == (0, "absent", -1)


@pytest.mark.parametrize(
    ("path", "at", "rest"),
    [("proc/1/mem", [], ["proc", "1", "mem"]), ("a/../tmp/x", [], ["tmp", "x"]),
     ("to-proc/environ", [], ["proc", "self", "environ"])],
)  # fmt: skip
def test_the_machines_own_trees_are_left_to_it(
    tree: HostTree, path: str, at: list[str], rest: list[str]
) -> None:
    """A walk that comes to one of them by any way ends there, with what is left."""
    answer = walk(tree, path)
    assert (answer.error, answer.path, answer.rest) == (0, at, rest)


def test_a_known_part_is_not_left_again(tree: HostTree, folder: Path) -> None:
    """Below a directory that something in memory lies over, dots lead back to the memory."""
    (folder / "tmp").mkdir()
    (folder / "tmp" / "x").mkdir()
    answer = walk(tree, "tmp/x/../y", known=1)
    assert (answer.path, answer.rest) == (["tmp"], ["y"])
    assert walk(tree, "tmp/x", WalkPurpose.STATUS, known=1).path == ["tmp", "x"]


def test_links_are_told_or_refused(tree: HostTree) -> None:
    """The target of a link is read; a link that is not followed cannot be opened."""
    assert walk(tree, "to-file", WalkPurpose.LINK, follow=False).target == "a/file"
    assert walk(tree, "a", WalkPurpose.LINK, follow=False).error == errno.EINVAL
    assert walk(tree, "to-file", follow=False).error == errno.ELOOP


def test_search_permission_is_the_tasks_own(tree: HostTree) -> None:
    """An ordinary user passes no directory that he may not search, whoever runs iopermit."""
    for path in ("closed/file", "closed", "closed/.."):
        assert walk(tree, path, ids=USER).error == errno.EACCES
    assert walk(tree, "closed", WalkPurpose.STATUS, ids=USER).error == 0
    assert walk(tree, "secret", ids=USER).error == errno.EACCES


def test_what_only_root_may_read_is_not_shown_to_root_either(folder: Path) -> None:
    """Unless that is asked for; whose ids a task claims makes no difference with --user."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to read what only root may")
    shown, user = Policy(str(folder), as_root=True), Policy(str(folder), user=USER)
    for policy, error in ((Policy(str(folder)), errno.EACCES), (shown, 0), (user, errno.EACCES)):
        tree = HostTree(policy, OWN)
        for path in ("secret", "closed/file", "closed"):
            assert walk(tree, path, ids=ROOT).error == error
        tree.close()


def test_the_named_program_is_shown_where_it_lies(tree: HostTree, folder: Path) -> None:
    """It is opened though only root may search its directory; nothing else above it is."""
    program = folder / "closed" / "program"
    program.write_text("#!/bin/sh")
    program.chmod(0o755)
    (folder / "closed" / "private").write_text("secret")
    (folder / "closed" / "private").chmod(0o600)
    answer = tree.name_program(["closed", "program"], ROOT)
    os.close(answer.descriptor)
    for purpose in (WalkPurpose.OPEN, WalkPurpose.EXECUTE, WalkPurpose.STATUS):
        assert walk(tree, "closed/program", purpose).error == 0
    assert walk(tree, "closed/file").error == 0
    if os.geteuid() == 0:
        assert walk(tree, "closed/private").error == errno.EACCES
        assert walk(tree, "closed").error == errno.EACCES
        assert walk(tree, "closed/../secret").error == errno.EACCES


def test_the_named_program_must_be_an_executable_file(tree: HostTree) -> None:
    """A directory, a plain file and a pipe are refused, and not opened."""
    for path in ("a", "a/file", "pipe"):
        answer = tree.name_program(path.split("/"), ROOT)
        assert (answer.error, answer.descriptor) == (errno.EACCES, -1)


def test_directories_are_listed_in_order(tree: HostTree) -> None:
    """Names come sorted, with their types, and without a descriptor."""
    answer = walk(tree, "")
    assert answer.entries is not None
    assert [name for name, _, _ in answer.entries][:3] == ["a", "closed", "pipe"]
    assert answer.descriptor == -1
