"""Builds the objects of a kernel tree that keep the I/O permission bitmap, with the shim."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from iopermit.kernel.build.cache import Cache, open_cache, prepare_kept
from iopermit.kernel.build.configuration import FULL, Configuration
from iopermit.kernel.build.kbuild import Failure, Kbuild, no_space
from iopermit.kernel.build.patches.executed import executed_by_make
from iopermit.kernel.build.patches.names import shown
from iopermit.kernel.build.plan import (
    CALLERS,
    CPU_SHIM,
    ENTRY_SHIM,
    SHIM,
    XEN_SHIM,
    BuildPlan,
    plan_build,
)
from iopermit.kernel.build.sandbox import BuildSandbox, SandboxChoice, find_sandbox
from iopermit.kernel.build.workspace import Workspace, c_files
from iopermit.kernel.errors import BuildError

if TYPE_CHECKING:
    from iopermit.cache.entry import Origin
    from iopermit.kernel.build.features import Features
    from iopermit.kernel.build.source import Source

_SPACE = 100 << 20
"""Bytes that must be free before a build, with a margin."""

SANDBOXED = "-sandboxed"
"""The end of the name, in the cache, of what was built in a sandbox."""
_SANDBOX_HINT = (
    "\n(It was built in a sandbox, which shows the system's programs, the tree and the directory "
    "of the build only; --sandbox off builds with your own rights.)"
)

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
        sandboxed: Whether it was built in a sandbox.
        configuration: What the tree was configured to.
        made_of: A hash of everything that it was built from.
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
    sandboxed: bool
    configuration: Configuration
    made_of: str


def build(  # noqa: PLR0913 - one parameter per option
    tree: Path,
    patches: Sequence[Path] = (),
    *,
    reverse: bool = False,
    cache: Path | None = None,
    keep: Path | None = None,
    progress: Progress | None = None,
    warn: Progress | None = None,
    sandbox: SandboxChoice = "auto",
    configuration: Configuration = FULL,
) -> BuiltTree:
    """Build the objects of a tree with patches, or take them from the cache.

    Args:
        tree: The top directory of an unpacked kernel source tree. It is never written to.
        patches: Files with unified diffs, also as mails, to be applied in order.
        reverse: Whether the patches are taken back instead, the last one first.
        cache: Where builds are kept; by default the user's cache.
        keep: An empty directory in which the whole build is to be left, also if it fails.
        progress: Told what is being done, in a few words.
        warn: Told, before anything is built, what of the patches the build executes, and why there
            is no sandbox.
        sandbox: Whether to build in a sandbox.
        configuration: What to configure the tree to.

    Raises:
        BuildError: The tree, a patch or the build cannot be used; the message says why.
    """
    where = cache
    try:
        plan = plan_build(tree, patches, reverse=reverse, configuration=configuration)
        store = open_cache(cache)
        where = store.root
        order = _Order(plan, store, keep, sandbox, progress or _say_nothing, warn or _say_nothing)
        files = order.found()
        if files is None:
            with store.locked(order.origin.made_of):
                # Another process may have built it meanwhile.
                files = order.found() or order.build()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise no_space(where or Path(error.filename or "the cache")) from error
        what = error.filename or where
        raise BuildError(f"cannot build: {what}: {error.strerror}") from error
    return _built(plan, files, order.origin.made_of)


def _in_sandbox(origin: Origin) -> Origin:
    """Return the origin of what is built of the same in a sandbox."""
    return origin._replace(made_of=origin.made_of + SANDBOXED)


def _in_no_sandbox(origin: Origin) -> Origin:
    return origin


def _say_nothing(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class _Order:
    """A plan, and how and where it is to be carried out."""

    plan: BuildPlan
    store: Cache
    keep: Path | None
    choice: SandboxChoice
    say: Progress
    warn: Progress

    @cached_property
    def origin(self) -> Origin:
        """What the build is made of, but for whether it is built in a sandbox."""
        return self.plan.origin

    def found(self) -> Path | None:
        """Return a build of the same in the cache, if it may be used."""
        if self.keep:
            return None
        found = self.store.find(_in_sandbox(self.origin))
        return found or (None if self.choice == "on" else self.store.find(self.origin))

    def build(self) -> Path:
        """Build, and publish in the cache what is complete."""
        plan, store = self.plan, self.store
        sandbox = find_sandbox(self.choice, plan.toolchain.programs)
        warn_of(plan.source, sandbox, self.warn)
        made_in = _in_sandbox if sandbox.program else _in_no_sandbox
        kept = prepare_kept(self.keep) if self.keep else None
        own = c_files(plan.source, [*plan.required, *plan.optional])
        with contextlib.ExitStack() as stack:
            collected = stack.enter_context(store.workspace())
            again = kept is None and all(path in own for path in plan.source.changed)
            directory = kept or (
                stack.enter_context(store.lasting_workspace(made_in(plan.origin_without(own))))
                if again
                else stack.enter_context(store.workspace())
            )
            self._make(directory.resolve(), sandbox, collected / "objects", again=again)
            if plan.origin != self.origin:
                raise BuildError(f"{plan.source.tree} changed while it was built; check it again")
            origin = made_in(self.origin)
            return store.find(origin) or store.publish(origin, collected / "objects")

    def _make(self, directory: Path, sandbox: BuildSandbox, target: Path, *, again: bool) -> None:
        """Build in a directory, and copy the objects."""
        plan, objects = self.plan, [*self.plan.required, *self.plan.optional]
        require_usable(directory)
        workspace = Workspace(
            directory,
            plan.source,
            plan.additions,
            plan.toolchain,
            sandbox,
            plan.configuration,
        )
        method = workspace.build_again if again else workspace.build
        where = "in a sandbox: " if sandbox.program else ""
        failure = method(objects, lambda what: self.say(f"{plan.what}: {where}{what}"))
        if failure and any(workspace.kbuild.read(path) is None for path in plan.required):
            kept = directory if self.keep else None
            hint = _SANDBOX_HINT if sandbox.program else ""
            raise BuildError(_explain(plan, failure, kept) + hint)
        _collect(plan, workspace.kbuild, target)


def warn_of(source: Source, sandbox: BuildSandbox, warn: Progress) -> None:
    """Tell, before anything is built, why there is no sandbox, and what of patches is executed."""
    if sandbox.why_not:
        warn(f"iopermit: building without a sandbox, with your own rights: {sandbox.why_not}")
    executed = executed_by_make(source)
    if executed:
        rights = "in a sandbox" if sandbox.program else "with your own rights"
        warn(
            f"iopermit: the build executes, {rights}, what patches change in: "
            + ", ".join(shown(os.fsencode(path)) for path in executed)
        )


def _collect(plan: BuildPlan, kbuild: Kbuild, target: Path) -> None:
    """Copy the objects that were built, if they were built of the patched text."""
    for path in (*plan.required, *plan.optional):
        data = kbuild.read(path)
        if data is None:
            continue
        if unpatched := kbuild.unpatched(path, plan.source.changed):
            raise BuildError(
                f"{plan.what} cannot be built: {path} includes {unpatched} by a path with "
                f"`..`, which leads to the file without the patches"
            )
        if skipped := kbuild.skipped(path, plan.source.skipped):
            raise BuildError(
                f"{plan.what}: {path} includes {skipped}, which a patch changes; iopermit does not "
                "apply patches there. Apply it to the tree, and check that"
            )
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)


def require_usable(directory: Path, space: int = _SPACE) -> None:
    """Refuse a directory that Kbuild cannot work in, and one without space."""
    if any(character in str(directory) for character in " \t:"):
        raise BuildError(
            f"the kernel's build system cannot build in {directory}, because of a space or colon "
            f"in its name; set XDG_CACHE_HOME to another directory"
        )
    if shutil.disk_usage(directory).free < space:
        raise no_space(directory)


def _explain(plan: BuildPlan, failure: Failure, kept: Path | None) -> str:
    """Say what does not compile, in the compiler's words, and how to see for oneself."""
    where = f"in {kept}/build" if kept else "run in a build that --keep-build DIR would keep"
    ours = failure.target.endswith((SHIM, CPU_SHIM, ENTRY_SHIM, XEN_SHIM))
    head = (
        f"{plan.what} does not fit iopermit's shim, {failure.target}"
        if ours
        else f"{plan.what} cannot be built: {failure.target or 'make failed'}"
    )
    command = f"\ncommand ({where}):\n  {failure.command}" if failure.command else ""
    return f"{head}\n{failure.message}{command}"


def _built(plan: BuildPlan, files: Path, made_of: str) -> BuiltTree:
    executed = [path for path in (*plan.required, *plan.optional) if path not in CALLERS]
    objects = [files / path for path in executed]
    callers = [files / path for path in CALLERS]
    return BuiltTree(
        objects=tuple(path for path in objects if path.is_file()),
        callers=tuple(path for path in callers if path.is_file()),
        shim=files / SHIM,
        root=Path(),
        tree=plan.source.tree,
        version=plan.version,
        features=plan.features,
        compiler=plan.toolchain.compiler,
        source=plan.source,
        sandboxed=files.name.endswith(SANDBOXED),
        configuration=plan.configuration,
        made_of=made_of,
    )
