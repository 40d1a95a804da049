"""Building the objects of real kernel trees."""

from __future__ import annotations

import difflib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from tests.support.kernel.faults import REPAIR, unified_diff
from tests.support.kernel.made_trees import make_tree
from tests.support.kernel.trees import build_cache, require_tree, unchanged
from tests.support.requirements import require_sandbox

from iopermit.kernel.build.builder import BuiltTree, _collect, build
from iopermit.kernel.build.cache import open_cache
from iopermit.kernel.build.kbuild import Kbuild
from iopermit.kernel.build.plan import plan_build
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from iopermit.kernel.build.sandbox import SandboxChoice

WANTED = {
    "__switch_to_xtra",
    "__x64_sys_ioperm",
    "__x64_sys_iopl",
    "copy_thread",
    "cpu_tss_rw",
    "exit_thread",
    "gdt_page",
    "io_bitmap_exit",
    "io_bitmap_share",
    "iopermit_bring_up",
    "iopermit_exit",
    "iopermit_exit_to_user",
    "iopermit_fork",
    "iopermit_fork_failed",
    "iopermit_refresh_tss_limit",
    "iopermit_switch_to",
    "iopermit_vm_exit",
    "native_tss_update_io_bitmap",
}


def defined_symbols(path: Path) -> dict[str, tuple[int, int]]:
    """Return the section and offset of each global symbol that an object defines."""
    found = {}
    with path.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if isinstance(section, SymbolTableSection):
                for symbol in section.iter_symbols():
                    index = symbol["st_shndx"]
                    if symbol["st_info"]["bind"] == "STB_GLOBAL" and isinstance(index, int):
                        found[symbol.name] = (index, symbol["st_value"])
    return found


def constant(built: BuiltTree, name: str) -> int:
    """Return the value of one of the shim's constants."""
    section, offset = defined_symbols(built.shim)[f"iopermit_{name}"]
    with built.shim.open("rb") as file:
        data = ELFFile(file).get_section(section).data()
    return int.from_bytes(data[offset : offset + 8], "little")


def test_the_objects_define_the_subsystem(built: BuiltTree) -> None:
    """Every function that an event calls is defined, by the tree's own code or by the shim."""
    symbols = {name for path in built.objects for name in defined_symbols(path)}
    assert symbols >= WANTED


def test_the_layout_is_consistent(built: BuiltTree) -> None:
    """The constants of the TSS fit each other: both maps lie inside the limit, which ends them."""
    base = constant(built, "offsetof_tss_x86_tss")
    maps = [constant(built, f"offsetof_tss_{name}") - base for name in ("bitmap", "mapall")]
    assert maps == [
        constant(built, "IO_BITMAP_OFFSET_VALID_MAP"),
        constant(built, "IO_BITMAP_OFFSET_VALID_ALL"),
    ]
    assert constant(built, "offsetof_tss_io_bitmap_base") - base == 102
    limit = constant(built, "KERNEL_TSS_LIMIT")
    assert limit + 1 == maps[1] + constant(built, "sizeof_tss_mapall")
    assert constant(built, "IO_BITMAP_OFFSET_INVALID") == limit + 1
    assert constant(built, "sizeof_tss_bitmap") == 65536 // 8 + 8
    assert constant(built, "offsetof_io_bitmap_bitmap") < constant(built, "sizeof_io_bitmap")


def test_source_paths_are_those_of_the_tree(built: BuiltTree) -> None:
    """The debug information names sources relative to the tree, wherever it was built."""
    with built.objects[0].open("rb") as file:
        unit = next(ELFFile(file).get_dwarf_info().iter_CUs()).get_top_DIE().attributes
    assert unit["DW_AT_name"].value == b"arch/x86/kernel/ioport.c"
    assert unit["DW_AT_comp_dir"].value == b"."
    assert "task_update_io_bitmap" in built.source.text("arch/x86/kernel/ioport.c")


def test_a_build_in_the_cache_is_used(built: BuiltTree) -> None:
    """The second build of the same content builds nothing."""
    said: list[str] = []
    again = build(built.tree, cache=build_cache(), progress=said.append)
    assert said == []
    assert again == built


def test_a_patched_tree_is_built_and_left_alone(tree: Path, tmp_path: Path) -> None:
    """A patch changes the object of the file that it changes, and nothing in the tree."""
    patch = tmp_path / "repair.patch"
    patch.write_text(unified_diff(tree, REPAIR))
    plain = build(tree, cache=build_cache())
    with unchanged(tree):
        patched = build(tree, [patch], cache=build_cache())
    assert patched.source.text(REPAIR.path) == REPAIR.apply(plain.source.text(REPAIR.path))
    pairs = zip(plain.objects, patched.objects, strict=True)
    others = [one.name for one, other in pairs if one.read_bytes() != other.read_bytes()]
    assert others == ["ioport.o"]


def test_code_that_does_not_compile(tmp_path: Path) -> None:
    """A compiler error is shown in its words, with its command, and every time; the tree stays."""
    tree = require_tree("6.12")
    text = (tree / REPAIR.path).read_text().splitlines(keepends=True)
    where = next(number for number, line in enumerate(text) if "io_bitmap_exit(current);" in line)
    misspelt = [*text[:where], text[where].replace(";", " misspelt;"), *text[where + 1 :]]
    names = f"a/{REPAIR.path}", f"b/{REPAIR.path}"
    patch = tmp_path / "bad.patch"
    patch.write_text("".join(difflib.unified_diff(text, misspelt, *names)))
    with unchanged(tree), pytest.raises(KernelTreeError) as error:
        build(tree, [patch], cache=build_cache())
    message = str(error.value)
    assert "1 file patched) cannot be built: arch/x86/kernel/ioport.o" in message
    assert f"{REPAIR.path}:{where + 1}:" in message
    assert "error: expected ';'" in message
    assert "command (run in a build that --keep-build DIR would keep):\n  gcc " in message
    assert "-c -o arch/x86/kernel/ioport.o ../source/arch/x86/kernel/ioport.c" in message
    with pytest.raises(KernelTreeError, match="cannot be built"):
        build(tree, [patch], cache=build_cache())


@pytest.fixture
def failing_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a make that fails, and what a build needs besides, on the PATH."""
    for name in ("gcc", "ld", "flex", "bison", "bc", "make"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / "bin" / name
        program.write_text("#!/bin/sh\necho x86_64-fake\n[ $1 != -C ] || exit 2\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


def without_bubblewrap(tmp_path: Path) -> None:
    """Put a bwrap that does not work on the PATH."""
    (tmp_path / "bin/bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions' >&2\nexit 1\n")
    (tmp_path / "bin/bwrap").chmod(0o755)


@pytest.mark.usefixtures("failing_make")
@pytest.mark.parametrize("choice", ["auto", "off"])
def test_what_a_build_executes_is_said_before(tmp_path: Path, choice: SandboxChoice) -> None:
    """The files of a patch that make executes are named, and why there is no sandbox."""
    tree = make_tree(tmp_path / "tree")
    without_bubblewrap(tmp_path)
    patch = tmp_path / "p.patch"
    names = ("scripts/new.sh", "kernel/Makefile", "kernel/new.c")
    patch.write_text("".join(f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+x\n" for name in names))
    warnings: list[str] = []
    with pytest.raises(KernelTreeError, match="make failed"):
        build(tree, [patch], cache=tmp_path / "cache", warn=warnings.append, sandbox=choice)
    assert warnings[-1] == (
        "iopermit: the build executes, with your own rights, what patches change in: "
        "kernel/Makefile, scripts/new.sh"
    )
    why = "bwrap does not work here: bwrap: No permissions"
    assert [why in warning for warning in warnings] == (
        [True, False] if choice == "auto" else [False]
    )


@pytest.mark.usefixtures("failing_make")
def test_no_build_without_a_sandbox_that_must_be(tmp_path: Path) -> None:
    """With `on` nothing is built where there is none, nor taken that was built without."""
    tree = make_tree(tmp_path / "tree")
    without_bubblewrap(tmp_path)
    (tmp_path / "built").mkdir()
    open_cache(tmp_path / "cache").publish(plan_build(tree, ()).origin, tmp_path / "built")
    assert not build(tree, cache=tmp_path / "cache").sandboxed
    with pytest.raises(KernelTreeError, match="--sandbox on: bwrap does not work"):
        build(tree, cache=tmp_path / "cache", sandbox="on")


def test_a_build_in_a_sandbox_makes_the_same() -> None:
    """The objects are byte for byte those of a build without, and known as built in a sandbox."""
    require_sandbox()
    tree = require_tree("6.12")
    plain = build(tree, cache=build_cache(), sandbox="off")
    sandboxed = build(tree, cache=build_cache(), sandbox="on")
    assert sandboxed.sandboxed
    for one, other in zip(plain.objects, sandboxed.objects, strict=True):
        assert one.read_bytes() == other.read_bytes(), one


def test_an_object_that_includes_what_was_skipped(tmp_path: Path) -> None:
    """A patch that would have to be applied where none is, is found out after the build."""
    tree = make_tree(tmp_path / "tree")
    plan = plan_build(tree, ())
    plan = replace(plan, source=replace(plan.source, skipped=("drivers/a.h",)))
    (tmp_path / "build").mkdir()
    kbuild = Kbuild(tmp_path / "source", tmp_path / "build", plan.toolchain)
    path = plan.required[0]
    (kbuild.output / path).parent.mkdir(parents=True)
    (kbuild.output / path).write_bytes(b"object")
    noted = (kbuild.output / path).with_name(f".{Path(path).name}.cmd")
    noted.write_text(f"deps := {kbuild.source}/include/a.h {kbuild.source}/drivers/b.h\n")
    _collect(plan, kbuild, tmp_path / "objects")
    assert (tmp_path / "objects" / path).read_bytes() == b"object"
    noted.write_text(f"deps := {kbuild.source}/x/../drivers/a.h\n")
    with pytest.raises(KernelTreeError, match=r"includes drivers/a\.h, which a patch changes"):
        _collect(plan, kbuild, tmp_path / "objects")


@pytest.mark.usefixtures("failing_make")
def test_a_build_that_is_kept(tmp_path: Path) -> None:
    """The overlay and what make left stay in the directory, also if make fails."""
    tree, kept = make_tree(tmp_path / "tree"), tmp_path / "kept"
    with pytest.raises(KernelTreeError, match=rf"command \(in {kept}/build\):\n  make -C "):
        build(tree, cache=tmp_path / "cache", keep=kept)
    assert (kept / "source/arch/x86/kernel/ioport.c").is_symlink()
    assert (kept / "source/arch/x86/kernel/iopermit_shim.c").is_file()
    assert "CONFIG_PREEMPT=y" in (kept / "build/iopermit.config").read_text()
    with pytest.raises(KernelTreeError, match="is not empty"):
        build(tree, cache=tmp_path / "cache", keep=kept)


def interrupt_build(tree: Path, cache: Path, stage: str) -> None:
    """Build in another process, and send it what Ctrl-C sends when it comes to a stage."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom iopermit.kernel.build.builder import build\n"
        "say = lambda text: print(text, flush=True)\n"
        "build(Path(sys.argv[1]), cache=Path(sys.argv[2]), progress=say)\n"
    )
    command = [sys.executable, "-c", code, str(tree), str(cache)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if stage in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0


def test_interrupted_builds(tmp_path: Path) -> None:
    """Ctrl-C at any stage leaves tree and cache alone, and the next build makes the same."""
    tree = require_tree("6.12")
    cache = tmp_path / "cache"
    for stage in ("laying out", "configuring", "building"):
        with unchanged(tree):
            interrupt_build(tree, cache, stage)
        assert [
            path
            for path in cache.iterdir()
            if not path.name.startswith("base-") and path.suffix != ".lock"
        ] == []
    undisturbed, built = build(tree, cache=build_cache()), build(tree, cache=cache)
    for one, other in zip(undisturbed.objects, built.objects, strict=True):
        assert one.read_bytes() == other.read_bytes(), one


def test_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little space for a build is one message, before anything is written."""
    tree = require_tree("6.12")
    full = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(KernelTreeError, match=r"no space left in .*make room"):
        build(tree, cache=tmp_path / "cache")


def test_a_cache_that_kbuild_cannot_work_in(tmp_path: Path) -> None:
    """A cache with a space in its name is refused, with the remedy."""
    with pytest.raises(KernelTreeError, match="set XDG_CACHE_HOME to another directory"):
        build(require_tree("6.12"), cache=tmp_path / "a cache")


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """A cache that is a file is one message that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(KernelTreeError, match=r"cannot build: .*file"):
        build(require_tree("6.12"), cache=tmp_path / "file")
