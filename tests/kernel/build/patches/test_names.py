"""Names of files in patches."""

from __future__ import annotations

import os

import pytest

from iopermit.kernel.build.patches.names import (
    BadNameError,
    is_build_product,
    path_of,
    shown,
    unquoted,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"a/x.c", b"a/x.c"),
        (rb'"a/\303\244.c"', "a/ä.c".encode()),
        (rb'"a/\"q\"\\.c"', b'a/"q"\\.c'),
        (rb'"a/tab\there"', b"a/tab\there"),
        (b'"a/with space"', b"a/with space"),
    ],
)
def test_the_quoting_of_git(text: bytes, name: bytes) -> None:
    """Octal and C escapes mean their bytes; what is not quoted means itself."""
    assert unquoted(text) == name


@pytest.mark.parametrize("text", [b'"', b'"a', b'"a"b"', rb'"a\"', rb'"\400"', rb'"\q"'])
def test_damaged_quoting(text: bytes) -> None:
    """A quoted name without an end, or with an escape that means nothing, is refused."""
    with pytest.raises(BadNameError):
        unquoted(text)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"/etc/passwd", "leads out of the tree"),
        (b"kernel/../../x", "leads out of the tree"),
        (b"..", "leads out of the tree"),
        (b"", "is not the path of a file"),
        (b"kernel//a.c", "is not the path of a file"),
        (b"./kernel/a.c", "is not the path of a file"),
        (b"kernel/", "is not the path of a file"),
        (b".git/config", "git's own directory"),
        (b"kernel/.GIT/hooks/x", "git's own directory"),
        (b"kernel/a\0.c", "control character"),
        (b"kernel/a.c\r", "control character"),
        (b"kernel/a\n.c", "control character"),
        (b"x" * 256, "too long"),
        (b"x/" * 2100 + b"x", "too long"),
    ],
)
def test_names_that_no_file_of_a_tree_has(name: bytes, why: str) -> None:
    """Each is refused with its reason, in one line."""
    with pytest.raises(BadNameError, match=why) as error:
        path_of(name)
    assert str(error.value).isprintable()


def test_names_of_files() -> None:
    """Any other name is a path, whatever bytes it has."""
    assert path_of(b"kernel/..a/.b") == "kernel/..a/.b"
    assert os.fsencode(path_of(b"kernel/\xff.c")) == b"kernel/\xff.c"


@pytest.mark.parametrize(
    ("path", "product"),
    [
        (".config", True),
        ("kernel/.exit.o.cmd", True),
        ("kernel/exit.o", True),
        ("include/config/auto.conf", True),
        ("arch/x86/include/generated/asm/x.h", True),
        ("kernel/exit.c", False),
        (".gitignore", False),
        ("include/linux/config.h", False),
    ],
)
def test_what_a_build_leaves(path: str, product: bool) -> None:
    """Objects, notes and configuration that make would take for its own are told from sources."""
    assert is_build_product(path) is product


def test_what_is_shown_is_short_and_printable() -> None:
    """A line of any length and with any bytes takes one short line of a message."""
    assert shown(b"\x1b[2J\0") == "\\x1b[2J\\x00"
    assert len(shown(b"1" * 100_000)) < 300
