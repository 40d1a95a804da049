"""Builds the objects of a kernel tree that keep the I/O permission bitmap, with the shim."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from iopermit.cache.entry import Origin
from iopermit.kernel.build.cache import Cache, open_cache, prepare_kept
from iopermit.kernel.build.features import Features, detect
from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.kbuild import CONFIGURATION, Failure, Kbuild, no_space
from iopermit.kernel.build.patch import apply_patches
from iopermit.kernel.build.source import Source
from iopermit.kernel.build.toolchain import Toolchain, find_toolchain
from iopermit.kernel.build.tree import require_checkable
from iopermit.kernel.build.workspace import Workspace, c_files
from iopermit.kernel.errors import KernelTreeError

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
CALLERS = ("kernel/exit.o", "kernel/fork.o", "kernel/entry/common.o")
"""What calls the subsystem from elsewhere. It is not executed: its calls are looked for."""
_SPACE = 100 << 20
"""Bytes that must be free before a build, with a margin."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuiltTree:
    """What was built of a tree.

    Attributes:
        objects: The objects, the shim's among them. Of two definitions of a symbol the first
            counts.
        callers: Objects that call the subsystem, and are not executed.
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
    callers: tuple[Path, ...]
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
    def origin(self) -> Origin:
        """What the build is made of."""
        return Origin("kernel build", self._hash(), self.toolchain.compiler)

    def origin_without(self, files: Collection[str]) -> Origin:
        """Return what a workspace is made of in which some files of the tree may be others."""
        # A workspace has links to the tree.
        made_of = self._hash(str(self.source.tree), without=files)
        return Origin("kernel workspace", made_of, self.toolchain.compiler)

    def _hash(self, *more: str, without: Collection[str] = ()) -> str:
        parts = [part for item in sorted(self.additions.items()) for part in item]
        parts += [self.toolchain.compiler, CONFIGURATION, *self.required, *self.optional, *more]
        # Versions that share a cache but know no seals must not take these for theirs.
        return fingerprint(self.source, "sealed", *parts, without=without)

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
        cache: Where builds are kept; by default the user's cache.
        keep: An empty directory in which the whole build is to be left, also if it fails.
        progress: Told what is being done, in a few words.

    Raises:
        KernelTreeError: The tree, a patch or the build cannot be used; the message says why.
    """
    say = progress or (lambda _: None)
    where = cache
    try:
        plan = _plan(tree, patches)
        store = open_cache(cache)
        where = store.root
        files = _find_or_build(plan, store, keep, say)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise no_space(where or Path(error.filename or "the cache")) from error
        what = error.filename or where
        raise KernelTreeError(f"cannot build: {what}: {error.strerror}") from error
    return _built(plan, files)


def _find_or_build(plan: _Plan, store: Cache, keep: Path | None, say: Progress) -> Path:
    origin = plan.origin
    if not keep and (files := store.find(origin)):
        return files
    with store.locked(origin.made_of):
        # Another process may have built it meanwhile.
        files = None if keep else store.find(origin)
        return files or _build_into(plan, store, origin, keep, say)


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
        optional=tuple(p for p in (*_LIBRARY, *CALLERS) if _is_made_of_source(source, p)),
    )


def _is_made_of_source(source: Source, path: str) -> bool:
    stem = path.removesuffix(".o")
    return source.has(f"{stem}.c") or source.has(f"{stem}.S")


def _additions(source: Source, features: Features) -> dict[str, bytes]:
    """Return the shim's files, and the Makefiles with the lines that build them."""
    additions: dict[str, bytes] = {}
    shim = resources.files("iopermit.kernel.build") / "shim"
    for path in (_SHIM, _CPU_SHIM):
        directory, _, name = path.rpartition("/")
        text = f"{name.removesuffix('.o')}.c"
        additions[f"{directory}/{text}"] = (shim / text).read_bytes()
        lines = f"\nobj-y += {name}\nCFLAGS_{name} += {' '.join(features.macros())}\n"
        makefile = f"{directory}/Makefile"
        additions[makefile] = (source.read(makefile) or b"") + lines.encode()
    return additions


def _build_into(
    plan: _Plan, store: Cache, origin: Origin, keep: Path | None, say: Progress
) -> Path:
    """Build, and publish in the cache what is complete."""
    objects = [*plan.required, *plan.optional]
    kept = prepare_kept(keep) if keep else None
    own = c_files(plan.source, objects)
    with contextlib.ExitStack() as stack:
        collected = stack.enter_context(store.workspace())
        again = kept is None and all(path in own for path in plan.source.changed)
        directory = kept or (
            stack.enter_context(store.lasting_workspace(plan.origin_without(own)))
            if again
            else stack.enter_context(store.workspace())
        )
        _require_usable(directory)
        workspace = Workspace(directory, plan.source, plan.additions, plan.toolchain)
        method = workspace.build_again if again else workspace.build
        failure = method(objects, lambda what: say(f"{plan.what}: {what}"))
        if failure and not all(
            (workspace.kbuild.output / path).is_file() for path in plan.required
        ):
            raise KernelTreeError(_explain(plan, failure, kept))
        _collect(plan, workspace.kbuild, collected / "objects")
        if plan.origin != origin:
            raise KernelTreeError(f"{plan.source.tree} changed while it was built; check it again")
        return store.find(origin) or store.publish(origin, collected / "objects")


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
    executed = [path for path in (*plan.required, *plan.optional) if path not in CALLERS]
    objects = [files / path for path in executed]
    callers = [files / path for path in CALLERS]
    return BuiltTree(
        objects=tuple(path for path in objects if path.is_file()),
        callers=tuple(path for path in callers if path.is_file()),
        shim=files / _SHIM,
        root=Path(),
        tree=plan.source.tree,
        version=plan.version,
        features=plan.features,
        compiler=plan.toolchain.compiler,
        source=plan.source,
    )
