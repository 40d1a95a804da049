"""Recognising kernel trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.made_trees import make_tree

from iopermit.kernel.build.source import Source
from iopermit.kernel.build.tree import require_checkable, version_of
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("extra", "shown"), [("", "6.12.7"), (" -rc3", "6.12.7-rc3"), ("-next", "6.12.7-next")]
)
def test_the_version_is_what_the_makefile_states(tmp_path: Path, extra: str, shown: str) -> None:
    """The version is put together from the Makefile, also if EXTRAVERSION is empty."""
    assert version_of(Source(make_tree(tmp_path, extra=extra))) == shown


@pytest.mark.parametrize("version", [(5, 3, 0), (6, 1, 192), (7, 0, 0)])
def test_trees_from_v5_3_on_are_accepted(tmp_path: Path, version: tuple[int, int, int]) -> None:
    """Every version from v5.3 on can be checked, however new."""
    require_checkable(Source(make_tree(tmp_path, version)))


def reason(tree: Path) -> str:
    """Return why a tree is refused."""
    with pytest.raises(KernelTreeError) as error:
        require_checkable(Source(tree))
    return str(error.value)


def test_a_directory_without_a_kernel_is_refused(tmp_path: Path) -> None:
    """A directory that is no kernel is refused with what to give instead."""
    (tmp_path / "Makefile").write_text("all:\n\ttrue\n")
    assert "is not a Linux kernel source tree" in reason(tmp_path)
    assert "top directory of an unpacked tree" in reason(tmp_path)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    """A missing directory and an archive are told apart, the latter with the remedy."""
    archive = tmp_path / "linux-6.12.tar.xz"
    archive.write_bytes(b"")
    assert reason(tmp_path / "nowhere") == f"no such directory: {tmp_path}/nowhere"
    assert "unpack it first" in reason(archive)


@pytest.mark.parametrize("version", [(2, 6, 8), (4, 19, 300), (5, 2, 21)])
def test_an_old_kernel_is_refused(tmp_path: Path, version: tuple[int, int, int]) -> None:
    """A kernel before v5.3 is refused by name and version, with the designs as the remedy."""
    text = reason(make_tree(tmp_path, version))
    assert "{}.{}.{}: too old".format(*version) in text
    assert "iopermit list" in text


def test_a_tree_without_x86_is_refused(tmp_path: Path) -> None:
    """A tree without the x86 part is refused."""
    (make_tree(tmp_path) / "arch/x86/kernel/ioport.c").unlink()
    assert "has no arch/x86/kernel/ioport.c" in reason(tmp_path)


def test_an_x86_32_tree_is_refused(tmp_path: Path) -> None:
    """A tree whose Kconfig knows no 64-bit x86 is refused."""
    text = reason(make_tree(tmp_path, x86="X86_32"))
    assert "can only be built for x86-32" in text


@pytest.mark.parametrize("version", ["six", "6.12", "9" * 500, "$(shell id)"])
def test_a_version_that_is_no_number(tmp_path: Path, version: str) -> None:
    """The Makefile's line is named, shortened, and nothing is made of it."""
    (make_tree(tmp_path) / "Makefile").write_text(f"VERSION = {version}\nPATCHLEVEL = 1\n")
    text = reason(tmp_path)
    assert f"VERSION = {version.split(maxsplit=1)[0][:40]}, which is no number" in text
