"""Builds the objects of a kernel tree that keep the I/O permission bitmap, with the shim."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from iopermit.kernel.cache import Cache, default_cache, prepare_kept
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.features import Features, detect
from iopermit.kernel.fingerprint import fingerprint
from iopermit.kernel.kbuild import CONFIGURATION, Failure, Kbuild, no_space
from iopermit.kernel.overlay import lay_out
from iopermit.kernel.patch import apply_patches
from iopermit.kernel.source import Source
from iopermit.kernel.toolchain import Toolchain, find_toolchain
from iopermit.kernel.tree import require_checkable

_SHIM = "arch/x86/kernel/iopermit_shim.o"
_CPU_SHIM = "arch/x86/kernel/cpu/iopermit_cpu.o"
_OLD_EXIT_PATH = "arch/x86/entry/common.o"
_SUBSYSTEM = (
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
_SPACE = 100 << 20
"""Bytes that must be free before a build, with a margin."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuiltTree:
    """What was built of a tree.

    Attributes:
        objects: The objects, the shim's among them. Of two definitions of a symbol the first
            counts.
        shim: The shim's object.
        root: The prefix of source paths in the debug information: empty, since they are relative
            to the tree.
        tree: The tree.
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


@dataclass(frozen=True)
class _Plan:
    """Everything that determines what is built."""

    source: Source
    version: str
    features: Features
    toolchain: Toolchain
    additions: dict[str, bytes]
    required: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name of the build in the cache."""
        added = [part for item in sorted(self.additions.items()) for part in item]
        objects = " ".join((*self.required, *self.optional))
        return fingerprint(self.source, self.toolchain.compiler, CONFIGURATION, objects, *added)

    @property
    def what(self) -> str:
        """The tree, for messages."""
        count = len(self.source.changed)
        patched = f", {count} {'file' if count == 1 else 'files'} patched" if count else ""
        return f"{self.source.tree} (Linux {self.version}{patched})"


def build(
    tree: Path,
    patches: Sequence[Path] = (),
    *,
    cache: Path | None = None,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> BuiltTree:
    """Build the objects of a tree with patches, or take them from the cache.

    Args:
        tree: The top directory of an unpacked kernel source tree. It is never written to.
        patches: Files with unified diffs, also as mails, to be applied in order.
        cache: Where builds are kept; by default `default_cache()`.
        keep: An empty directory in which the whole build is to be left, also if it fails.
        progress: Told what is being done, in a few words.

    Raises:
        KernelTreeError: The tree, a patch or the build cannot be used; the message says why.
    """
    say = progress or (lambda _: None)
    store = Cache(cache or default_cache())
    try:
        plan = _plan(tree, patches)
        key = plan.key
        files = None if keep else store.find(key)
        if files is None:
            with store.locked(key):
                # Another process may have built it meanwhile.
                files = None if keep else store.find(key)
                files = files or _build_into(plan, store, key, keep, say)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise no_space(store.root) from error
        where = error.filename or store.root
        raise KernelTreeError(f"cannot build: {where}: {error.strerror}") from error
    return _built(plan, files)


def _plan(tree: Path, patches: Sequence[Path]) -> _Plan:
    unpatched = Source(tree.absolute())
    require_checkable(unpatched)
    source = apply_patches(unpatched, patches)
    version = require_checkable(source)
    toolchain = find_toolchain()
    features = detect(source)
    exit_path = () if features.arch_exit_to_user_mode_prepare else (_OLD_EXIT_PATH,)
    return _Plan(
        source,
        version,
        features,
        toolchain,
        _additions(source, features),
        required=(*_SUBSYSTEM, *exit_path, _SHIM, _CPU_SHIM),
        optional=tuple(path for path in _LIBRARY if _is_made_of_source(source, path)),
    )


def _is_made_of_source(source: Source, path: str) -> bool:
    stem = path.removesuffix(".o")
    return source.has(f"{stem}.c") or source.has(f"{stem}.S")


def _additions(source: Source, features: Features) -> dict[str, bytes]:
    """Return the shim's files, and the Makefiles with the lines that build them."""
    additions: dict[str, bytes] = {}
    shim = resources.files("iopermit.kernel") / "shim"
    for path in (_SHIM, _CPU_SHIM):
        directory, _, name = path.rpartition("/")
        text = f"{name.removesuffix('.o')}.c"
        additions[f"{directory}/{text}"] = (shim / text).read_bytes()
        lines = f"\nobj-y += {name}\nCFLAGS_{name} += {' '.join(features.macros())}\n"
        makefile = f"{directory}/Makefile"
        additions[makefile] = (source.read(makefile) or b"") + lines.encode()
    return additions


def _build_into(plan: _Plan, store: Cache, key: str, keep: Path | None, say: Progress) -> Path:
    """Build, and publish in the cache what is complete."""
    kept = prepare_kept(keep) if keep else None
    with store.workspace() as workspace:
        directory = kept or workspace
        _require_usable(directory)
        say(f"laying out {plan.what}")
        lay_out(plan.source, plan.additions, directory / "source")
        output = directory / "build"
        output.mkdir()
        kbuild = Kbuild(directory / "source", output, plan.toolchain)
        say(f"configuring {plan.what}")
        failure = kbuild.configure()
        if failure is None:
            say(f"building {len(plan.required) + len(plan.optional)} objects of {plan.what}")
            failure = kbuild.build([*plan.required, *plan.optional])
        if failure and not all((output / path).is_file() for path in plan.required):
            raise KernelTreeError(_explain(plan, failure, kept))
        _collect(plan, kbuild, workspace / "objects")
        return store.find(key) or store.publish(key, workspace / "objects")


def _collect(plan: _Plan, kbuild: Kbuild, target: Path) -> None:
    """Copy the objects that were built, if they were built of the patched text."""
    for path in (*plan.required, *plan.optional):
        if (kbuild.output / path).is_file():
            if unpatched := kbuild.unpatched(path, plan.source.changed):
                raise KernelTreeError(
                    f"{plan.what} cannot be built: {path} includes {unpatched} by a path with "
                    f"`..`, which leads to the file without the patches"
                )
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kbuild.output / path, target / path)


def _require_usable(directory: Path) -> None:
    """Refuse a directory that Kbuild cannot work in, and one without space."""
    if any(character in str(directory) for character in " \t:"):
        raise KernelTreeError(
            f"the kernel's build system cannot build in {directory}, because of a space or colon "
            f"in its name; set XDG_CACHE_HOME to another directory"
        )
    if shutil.disk_usage(directory).free < _SPACE:
        raise no_space(directory)


def _explain(plan: _Plan, failure: Failure, kept: Path | None) -> str:
    """Say what does not compile, in the compiler's words, and how to see for oneself."""
    where = f"in {kept}/build" if kept else "run in a build that --keep-build DIR would keep"
    ours = failure.target.endswith((_SHIM, _CPU_SHIM))
    head = (
        f"{plan.what} does not fit iopermit's shim, {failure.target}"
        if ours
        else f"{plan.what} cannot be built: {failure.target or 'make failed'}"
    )
    command = f"\ncommand ({where}):\n  {failure.command}" if failure.command else ""
    return f"{head}\n{failure.message}{command}"


def _built(plan: _Plan, files: Path) -> BuiltTree:
    objects = [files / path for path in (*plan.required, *plan.optional)]
    return BuiltTree(
        objects=tuple(path for path in objects if path.is_file()),
        shim=files / _SHIM,
        root=Path(),
        tree=plan.source.tree,
        version=plan.version,
        features=plan.features,
        compiler=plan.toolchain.compiler,
        source=plan.source,
    )
