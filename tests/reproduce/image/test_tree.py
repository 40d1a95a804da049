"""A minimal kernel is built of a tree, kept, and built anew when anything of the tree changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.made_trees import make_tree
from tests.support.requirements import require_tool

from iopermit.kernel.errors import KernelTreeError
from iopermit.reproduce.errors import ReproduceError
from iopermit.reproduce.image.tree import build_image

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.reproduce.image.kernel_image import KernelImage

BUILD = """
allnoconfig:
\tcp $(KCONFIG_ALLCONFIG) $(O)/.config
bzImage:
\tmkdir -p $(O)/arch/x86/boot $(O)/arch/x86/kernel
\t$(CC) -g -c -x c $(SOURCE)/process.c -o $(O)/arch/x86/kernel/process.o
\techo built >> $(O)/arch/x86/boot/bzImage
\tcat $(SOURCE)/drivers/tty.c $(SOURCE)/arch/x86/kernel/ioport.c >> $(O)/arch/x86/boot/bzImage
"""
"""What make does in the made-up tree, which is not much."""
STRUCTURES = """
struct thread_info { unsigned long flags; };
struct thread { char pad[32]; void *io_bitmap; };
struct task_struct {
    struct thread_info thread_info; int pid; char comm[16]; struct thread thread;
};
struct io_bitmap { char pad[16], bitmap[8193], mapall[8193]; };
struct tss_struct { char x86_tss[104]; struct io_bitmap io_bitmap; };
struct pt_regs { unsigned long rest[12], dx, si, di; };
struct task_struct task; struct tss_struct tss; struct pt_regs registers;
"""
BEFORE_5_5 = """
struct thread_info { unsigned long flags; };
struct thread_struct { char pad[40]; unsigned long *io_bitmap_ptr; unsigned io_bitmap_max; };
struct task_struct {
    struct thread_info thread_info; int pid; char comm[16]; struct thread_struct thread;
};
struct tss_struct { char x86_tss[104]; unsigned long io_bitmap[1025]; };
struct pt_regs { unsigned long rest[12], dx, si, di; };
struct task_struct task; struct tss_struct tss; struct pt_regs registers;
"""


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Path:
    """Return a made-up tree that can be built, and keep builds for this test only."""
    for tool in ("gcc", "make", "flex", "bison", "bc"):
        require_tool(tool)
    assert own_cache.is_relative_to(tmp_path)
    made = make_tree(tmp_path / "tree")
    (made / "process.c").write_text(STRUCTURES)
    (made / "drivers").mkdir()
    (made / "drivers/tty.c").write_text("tty 1\n")
    for directory in ("include", "init", "kernel", "lib", "mm", "scripts"):
        (made / directory).mkdir()
    with (made / "Makefile").open("a") as makefile:
        makefile.write(f"SOURCE := $(CURDIR)\n{BUILD}")
    return made


def build(tree: Path, said: list[str], *patches: Path) -> KernelImage:
    """Build a kernel without a sandbox; `said` gets what is told."""

    def warned(_: str) -> None:
        """Pass over that there is no sandbox."""

    return build_image(tree, patches, sandbox="off", say=said.append, warn=warned)


def test_a_kernel_is_built_once(tree: Path) -> None:
    """The image and the offsets are those of the tree's build; the next time they are found."""
    said: list[str] = []
    image = build(tree, said)
    assert image.file.read_text() == "built\ntty 1\n"
    assert (image.layout.io_bitmap, image.layout.map_in_tss) == (64, 120)
    assert image.layout.arguments == (14 * 8, 13 * 8, 12 * 8)
    assert image.layout.all_ports == 120 + 8193
    assert image.layout.hot_current is None
    assert image.built_from == f"{tree}, by a minimal configuration"
    assert [text.rpartition(": ")[2] for text in said] == [
        "laying out",
        "configuring a minimal kernel",
        "building it, which takes minutes",
    ]
    assert build(tree, said).file == image.file
    assert len(said) == 3


def test_structures_of_before_5_5_are_found(tree: Path) -> None:
    """A task's map has another name there, the TSS has one map and not the one of every port."""
    (tree / "process.c").write_text(BEFORE_5_5)
    layout = build(tree, []).layout
    assert (layout.io_bitmap, layout.map_in_tss, layout.all_ports) == (72, 104, None)


def test_structures_without_any_map_are_refused(tree: Path) -> None:
    """A task without a map, under either name, is named in the message."""
    (tree / "process.c").write_text(STRUCTURES.replace("*io_bitmap", "*other"))
    with pytest.raises(ReproduceError, match=r"no thread\.io_bitmap in struct task_struct"):
        build(tree, [])


def test_a_file_that_is_compiled_elsewhere_counts(tree: Path) -> None:
    """A driver is not part of what `check --kernel` builds, but of this kernel."""
    said: list[str] = []
    first = build(tree, said).file
    (tree / "drivers/tty.c").write_text("tty 2\n")
    os.utime(tree / "drivers/tty.c", (1, 1))
    second = build(tree, said).file
    assert second != first
    assert second.read_text() == "built\ntty 2\n"


def test_patches_are_applied_beside_the_tree(tree: Path, tmp_path: Path) -> None:
    """The kernel has the patch, the tree has not, and the report names it."""
    file = "arch/x86/kernel/ioport.c"
    (tree / file).write_text("one\n")
    patch = tmp_path / "fix.patch"
    patch.write_text(f"--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-one\n+two\n")
    image = build(tree, [], patch)
    assert image.file.read_text() == "built\ntty 1\ntwo\n"
    assert image.built_from == f"{tree} + fix.patch, by a minimal configuration"
    assert (tree / file).read_text() == "one\n"


def test_a_patch_that_would_not_be_applied_is_refused(tree: Path, tmp_path: Path) -> None:
    """What a patch changes outside of what is applied is named, and nothing is built without it."""
    patch = tmp_path / "tty.patch"
    patch.write_text("--- a/drivers/tty.c\n+++ b/drivers/tty.c\n@@ -1 +1 @@\n-tty 1\n+tty 3\n")
    with pytest.raises(KernelTreeError, match=r"drivers/tty\.c.*Apply it to the tree"):
        build(tree, [], patch)


def test_a_build_that_fails_is_quoted(tree: Path) -> None:
    """What make says is in the message, with the tree; nothing is kept."""
    (tree / "process.c").write_text("no C\n")
    with pytest.raises(KernelTreeError, match=r"cannot be built: bzImage\n(.|\n)*no C") as error:
        build(tree, [])
    assert str(tree) in str(error.value)


def test_a_configuration_that_is_refused_is_named(tree: Path) -> None:
    """A kernel that Kconfig builds without a console is of no use, and which symbol is told."""
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("cp $(KCONFIG", "grep -v 8250 $(KCONFIG"))
    makefile.write_text(makefile.read_text().replace(") $(O)/.config", ") > $(O)/.config"))
    with pytest.raises(KernelTreeError, match="does not allow CONFIG_SERIAL_8250_CONSOLE=y"):
        build(tree, [])


def test_a_kernel_without_the_calls_is_refused(tree: Path) -> None:
    """Where Kconfig has X86_IOPL_IOPERM, a kernel without it has no ioperm() that does anything."""
    (tree / "arch/x86/Kconfig").write_text("config 64BIT\nconfig X86_IOPL_IOPERM\n")
    makefile = tree / "Makefile"
    dropped = makefile.read_text().replace("cp $(KCONFIG", "grep -v IOPERM $(KCONFIG")
    makefile.write_text(dropped.replace(") $(O)/.config", ") > $(O)/.config"))
    with pytest.raises(KernelTreeError, match="does not allow CONFIG_X86_IOPL_IOPERM=y"):
        build(tree, [])


def changing(tree: Path, file: str, before: str, after: str) -> Path:
    """Return a patch that changes the one line of a file."""
    patch = tree.parent / f"{after}.patch"
    patch.write_text(f"--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-{before}\n+{after}\n")
    return patch


def test_what_patches_do_not_change_is_left_as_it_was_built(tree: Path) -> None:
    """Another patch is built in the same directory, and so is the tree without one.

    What the last patch had changed is younger than what was made of it: Kbuild makes it again.
    """
    file = "arch/x86/kernel/ioport.c"
    (tree / file).write_text("one\n")
    said: list[str] = []
    contents = [
        build(tree, said, *patches).file.read_text()
        for patches in (
            (changing(tree, file, "one", "two"),),
            (changing(tree, file, "one", "three"),),
            (),
        )
    ]
    built = "built\n"
    assert contents == [
        f"{built}tty 1\ntwo\n",
        f"{built}tty 1\ntwo\n{built}tty 1\nthree\n",
        f"{built}tty 1\ntwo\n{built}tty 1\nthree\n{built}tty 1\none\n",
    ]
    assert [text.rpartition(": ")[2] for text in said] == [
        "laying out",
        "configuring a minimal kernel",
        "building it, which takes minutes",
        "building what is changed",
        "building what is changed",
    ]


def test_a_build_that_failed_in_make_begins_from_nothing(tree: Path) -> None:
    """What is left of a build is not used if nobody knows what is in it."""
    process = tree / "process.c"
    good = process.read_text()
    process.write_text("no C\n")
    with pytest.raises(KernelTreeError):
        build(tree, [])
    process.write_text(good)
    said: list[str] = []
    assert build(tree, said).file.read_text() == "built\ntty 1\n"
    assert said[0].endswith("laying out")


def test_a_patch_that_the_build_executes_is_built_from_nothing(tree: Path) -> None:
    """A changed Makefile may change everything, so nothing is left of the last build."""
    (tree / "lib/Makefile").write_text("one\n")
    build(tree, [])
    said: list[str] = []
    assert build(tree, said, changing(tree, "lib/Makefile", "one", "two")).file.is_file()
    assert said[0].endswith("laying out")
