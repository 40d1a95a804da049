"""Builds the objects of a kernel tree that keep the I/O permission bitmap, with the shim."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from iopermit.kernel.features import Features, detect
from iopermit.kernel.kbuild import Kbuild
from iopermit.kernel.overlay import lay_out
from iopermit.kernel.source import Source
from iopermit.kernel.toolchain import find_toolchain
from iopermit.kernel.tree import require_checkable

SHIM = "arch/x86/kernel/iopermit_shim.o"
_CPU_SHIM = "arch/x86/kernel/cpu/iopermit_cpu.o"
SUBSYSTEM = (
    "arch/x86/kernel/ioport.o",
    "arch/x86/kernel/process.o",
    "arch/x86/kernel/process_64.o",
)
_LIBRARY = (
    "arch/x86/kernel/setup_percpu.o",
    "lib/bitmap.o",
    "lib/find_bit.o",
    "lib/string.o",
    "lib/string_helpers.o",
    "lib/refcount.o",
    "arch/x86/lib/memcpy_64.o",
    "arch/x86/lib/memset_64.o",
    "arch/x86/lib/memmove_64.o",
    "mm/util.o",
)


@dataclass(frozen=True)
class BuiltTree:
    """What was built of a tree.

    Attributes:
        objects: The objects, the shim's among them, in the order in which they define symbols.
        shim: The shim's object.
        root: The prefix of source paths in the debug information: empty, since they are relative
            to the tree.
        tree: The tree, as it was given.
        version: Its version, as its Makefile states it.
        features: What it offers.
        compiler: The compiler that built it.
        source: The text of the tree with the patches applied.
    """

    objects: tuple[Path, ...]
    shim: Path
    root: Path
    tree: Path
    version: str
    features: Features
    compiler: str
    source: Source


def build(
    tree: Path,
    patches: Sequence[Path] = (),
    *,
    cache: Path | None = None,
    keep: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> BuiltTree:
    """Build, or take from the cache."""
    say = progress or (lambda _: None)
    assert not patches
    tree = tree.resolve()
    source = Source(tree)
    version = require_checkable(source)
    toolchain = find_toolchain()
    features = detect(source)
    root = cache or Path("/tmp/iopermit-k1-cache")
    target = root / tree.name
    objects = [path for path in (*SUBSYSTEM, *_LIBRARY) if _buildable(source, path)]
    objects += [SHIM, _CPU_SHIM]
    if not target.exists():
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=root))
        say("laying out")
        lay_out(source, _additions(source, features), work / "source")
        (work / "build").mkdir()
        kbuild = Kbuild(work / "source", work / "build", toolchain)
        say("configuring")
        kbuild.configure()
        say("building")
        kbuild.build(objects)
        for path in objects:
            (work / "objects" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(work / "build" / path, work / "objects" / path)
        (work / "objects").rename(target)
        shutil.rmtree(work)
    return BuiltTree(
        tuple(target / path for path in objects),
        target / SHIM,
        Path(),
        tree,
        version,
        features,
        toolchain.compiler,
        source,
    )


def _buildable(source: Source, path: str) -> bool:
    return source.has(path.removesuffix(".o") + ".c") or source.has(path.removesuffix(".o") + ".S")


def _additions(source: Source, features: Features) -> dict[str, bytes]:
    """Return the shim's files and the Makefiles that build them."""
    additions: dict[str, bytes] = {}
    shim = resources.files("iopermit.kernel") / "shim"
    for path in (SHIM, _CPU_SHIM):
        directory, _, name = path.rpartition("/")
        stem = name.removesuffix(".o")
        additions[f"{directory}/{stem}.c"] = (shim / f"{stem}.c").read_bytes()
        lines = f"\nobj-y += {name}\nCFLAGS_{name} += {' '.join(features.macros())}\n"
        makefile = f"{directory}/Makefile"
        additions[makefile] = (source.read(makefile) or b"") + lines.encode()
    return additions
