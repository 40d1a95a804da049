"""The overlay of links, and the fingerprint of what it shows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.overlay import lay_out, lay_out_again
from iopermit.kernel.build.source import Source
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "Makefile": "VERSION = 6\n",
    "Kbuild": "",
    "Kconfig": 'source "arch/$(SRCARCH)/Kconfig"\nsource "drivers/Kconfig"\n',
    "arch/x86/Kconfig": "config X86\n",
    "arch/x86/kernel/a.c": "int a;\n",
    "arch/x86/include/asm/a.h": "",
    "drivers/Kconfig": "config D\n",
    "drivers/d.c": "int d;\n",
    "include/linux/b.h": "",
    "include/linux/sub/c.h": "",
    "scripts/script": "#!/bin/sh\n",
}
PRODUCTS = {
    ".config": b"CONFIG_X=y\n",
    "include/config/auto.conf": b"",
    "include/generated/autoconf.h": b"",
    "arch/x86/include/generated/asm/x.h": b"",
    "arch/x86/kernel/a.o": b"",
    "arch/x86/kernel/.a.o.cmd": b"",
    "scripts/fixdep": b"\x7fELF",
    "scripts/parser.tab.c": b"",
}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Give a small tree."""
    for path, text in FILES.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_text(text)
    (tmp_path / "tree/scripts/script").chmod(0o755)
    return Source(tmp_path / "tree")


def build_inside(tree: Path) -> None:
    """Leave in a tree what a build inside leaves."""
    for path, data in PRODUCTS.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
        (tree / path).chmod(0o755)


def files(directory: Path) -> dict[str, str]:
    """Return the text of all files in a directory, following links."""
    found = {}
    for parent, _, names in os.walk(directory, followlinks=True):
        for name in names:
            path = os.path.relpath(os.path.join(parent, name), directory)  # noqa: PTH118 - a string is wanted
            found[path] = (directory / path).read_text()
    return found


def test_the_overlay_shows_the_tree(source: Source, tmp_path: Path) -> None:
    """Without patches the overlay shows every file of the tree, by links only."""
    lay_out(source, {}, tmp_path / "overlay")
    assert files(tmp_path / "overlay") == FILES
    links = [path for path in (tmp_path / "overlay").rglob("*") if path.is_symlink()]
    assert not [
        path
        for path in (tmp_path / "overlay").rglob("*")
        if path.is_file() and not any(path.is_relative_to(link) for link in links)
    ]


def test_the_overlay_shows_changes(source: Source, tmp_path: Path) -> None:
    """Changed, removed and added files show in the overlay and not in the tree."""
    changed: dict[str, bytes | None] = {
        "include/linux/sub/c.h": b"changed\n",
        "drivers/d.c": None,
        "drivers/new/e.c": b"new\n",
        "scripts/script": b"#!/bin/sh\ntrue\n",
    }
    lay_out(Source(source.tree, changed), {"arch/x86/kernel/s.c": b"s\n"}, tmp_path / "overlay")
    expected = FILES | {
        "include/linux/sub/c.h": "changed\n",
        "drivers/new/e.c": "new\n",
        "scripts/script": "#!/bin/sh\ntrue\n",
        "arch/x86/kernel/s.c": "s\n",
    }
    del expected["drivers/d.c"]
    assert files(tmp_path / "overlay") == expected
    assert files(source.tree) == FILES
    assert os.access(tmp_path / "overlay/scripts/script", os.X_OK)


def test_products_of_a_build_in_the_tree_do_not_show(source: Source, tmp_path: Path) -> None:
    """A tree that was built inside looks like a clean one."""
    before = fingerprint(source)
    build_inside(source.tree)
    lay_out(source, {}, tmp_path / "overlay")
    assert files(tmp_path / "overlay") == FILES
    assert fingerprint(source) == before


@pytest.mark.parametrize("path", [path for path in FILES if path != "drivers/d.c"])
def test_the_fingerprint_depends_on_the_content(source: Source, path: str) -> None:
    """Each file that is compiled, included or configures counts in the fingerprint."""
    before = fingerprint(source)
    patched = Source(source.tree, {path: FILES[path].encode() + b"# more\n"})
    assert fingerprint(patched) != before
    (source.tree / path).write_text(FILES[path] + "# more\n")
    assert fingerprint(source) == fingerprint(patched)


def test_the_fingerprint_depends_on_what_is_built_with_the_tree(source: Source) -> None:
    """The compiler's name and the shim are part of the fingerprint; their borders count too."""
    names = {fingerprint(source, *parts) for parts in ((), ("ab",), ("a", "b"), (b"ab", "c"))}
    assert len(names) == 4


def test_the_fingerprint_does_not_depend_on_the_place(source: Source, tmp_path: Path) -> None:
    """The same content elsewhere has the same fingerprint."""
    before = fingerprint(source)
    source.tree.rename(tmp_path / "elsewhere")
    assert fingerprint(Source(tmp_path / "elsewhere")) == before


def link_a_directory(source: Source, outside: Path) -> dict[str, str]:
    """Make `include/linked` a link out of the tree; return what is there."""
    outside.mkdir()
    (outside / "a.h").write_text("outside\n")
    (source.tree / "include/linked").symlink_to(outside)
    return files(outside)


@pytest.mark.parametrize("path", ["include/linked/a.h", "include/linked/new.h"])
def test_nothing_is_written_through_a_link_of_the_tree(
    source: Source, tmp_path: Path, path: str
) -> None:
    """A change below a linked directory is refused, and what the link leads to stays."""
    before = link_a_directory(source, tmp_path / "outside")
    with pytest.raises(KernelTreeError, match="include/linked is a symbolic link"):
        lay_out(Source(source.tree, {path: b"changed\n"}), {}, tmp_path / "overlay")
    assert files(tmp_path / "outside") == before


def test_an_addition_behind_a_link_is_refused(source: Source, tmp_path: Path) -> None:
    """A tree whose directory of the shim is a link elsewhere gets no shim there."""
    before = link_a_directory(source, tmp_path / "outside")
    (source.tree / "kernel").symlink_to(tmp_path / "outside")
    with pytest.raises(KernelTreeError, match="kernel is a symbolic link"):
        lay_out(source, {"kernel/shim.c": b"s\n"}, tmp_path / "overlay")
    assert files(tmp_path / "outside") == before


def test_a_file_laid_out_again_is_written_in_the_overlay(source: Source, tmp_path: Path) -> None:
    """The link to the tree's file is replaced, and the tree's file stays."""
    lay_out(source, {}, tmp_path / "overlay")
    path = "arch/x86/kernel/a.c"
    lay_out_again(Source(source.tree, {path: b"long a;\n"}), path, tmp_path / "overlay")
    assert (tmp_path / "overlay" / path).read_text() == "long a;\n"
    assert files(source.tree) == FILES
    lay_out_again(source, path, tmp_path / "overlay")
    assert (tmp_path / "overlay" / path).readlink() == source.tree / path


def test_modes_of_a_patch_show(source: Source, tmp_path: Path) -> None:
    """A script that a patch makes executable is so in the overlay; another loses it."""
    changed: dict[str, bytes | None] = {
        "scripts/script": b"#!/bin/sh\n",
        "scripts/new": b"#!/bin/sh\n",
    }
    modes = {"scripts/script": False, "scripts/new": True}
    lay_out(Source(source.tree, changed, modes=modes), {}, tmp_path / "overlay")
    assert not os.access(tmp_path / "overlay/scripts/script", os.X_OK)
    assert os.access(tmp_path / "overlay/scripts/new", os.X_OK)
