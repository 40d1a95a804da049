"""Builds a minimal kernel that boots, of a source tree with patches; the tree is never written to.

It has what a serial console, an initramfs and several CPUs need, and preemption. Debug information
of one object takes the place of BTF; the others have none, which would double the time.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from iopermit.cache.entry import Origin
from iopermit.kernel.build.builder import SANDBOXED, require_usable, warn_of
from iopermit.kernel.build.cache import open_cache
from iopermit.kernel.build.features import detect
from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.kbuild import IMAGE, Kbuild
from iopermit.kernel.build.overlay import is_product
from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.sandbox import find_sandbox
from iopermit.kernel.build.source import Source
from iopermit.kernel.build.toolchain import find_toolchain
from iopermit.kernel.build.tree import require_checkable
from iopermit.kernel.errors import BuildError, PatchError
from iopermit.reproduce.image.dwarf_types import DebugTypes
from iopermit.reproduce.image.kernel_image import KernelImage
from iopermit.reproduce.image.layout import KernelLayout
from iopermit.reproduce.image.workspace import ImageWorkspace, only_compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from iopermit.kernel.build.cache import Cache
    from iopermit.kernel.build.sandbox import BuildSandbox, SandboxChoice
    from iopermit.kernel.build.toolchain import Toolchain

CONFIGURATION: Final = """\
CONFIG_64BIT=y
CONFIG_SMP=y
CONFIG_EXPERT=y
CONFIG_PREEMPT=y
CONFIG_X86_IOPL_IOPERM=y
CONFIG_MULTIUSER=y
CONFIG_SYSFS=y
CONFIG_SECURITY=y
CONFIG_PRINTK=y
CONFIG_BUG=y
CONFIG_KERNEL_GZIP=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_BINFMT_ELF=y
CONFIG_TTY=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_PROC_FS=y
CONFIG_FUTEX=y
CONFIG_POSIX_TIMERS=y
CONFIG_HIGH_RES_TIMERS=y
CONFIG_KALLSYMS=y
CONFIG_KALLSYMS_ALL=y
CONFIG_X86_MPPARSE=y
CONFIG_RELOCATABLE=y
CONFIG_RANDOMIZE_BASE=y
CONFIG_UNWINDER_FRAME_POINTER=y
CONFIG_DEBUG_KERNEL=y
"""
"""What is on beyond `allnoconfig`; Kconfig ignores a symbol that the tree does not have. QEMU's
firmware describes the CPUs without ACPI too, which would be half of the objects."""
_NEEDED: Final = ("64BIT", "SMP", "PREEMPT", "SERIAL_8250_CONSOLE", "KALLSYMS_ALL")
_OBJECT: Final = "arch/x86/kernel/process.o"
"""An object that has all structures that the debugger looks at."""
_DESCRIBED: Final = "CFLAGS_process.o=-g"
"""Lets Kbuild compile that object with debug information; the code is the same."""
_SPACE: Final = 1 << 30
"""Bytes that must be free before a build, with a margin."""
_ELSEWHERE: Final = (
    *("block", "certs", "crypto", "drivers", "fs", "io_uring", "ipc", "net", "security"),
    *("tools", "usr", "virt"),
)
"""Directories that a whole kernel is made of, besides those that `fingerprint` reads."""


def build_image(
    tree: Path,
    patches: Sequence[Path],
    *,
    sandbox: SandboxChoice,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> KernelImage:
    """Build a kernel, or take it from the cache. On two cores that takes minutes.

    Args:
        tree: the top directory of a whole kernel source tree.
        patches: files with unified diffs, also as mails, to be applied in order.
        sandbox: whether to build in a sandbox.
        say: told what is done.
        warn: told what the build executes of the patches, and why there is no sandbox.

    Raises:
        KernelTreeError: the tree, a patch or the build cannot be used.
        ReproduceError: the kernel is older than Linux 5.3.
    """
    unpatched = Source(tree.absolute())
    require_checkable(unpatched)
    source = apply_patches(unpatched, patches)
    version = require_checkable(source)
    _require_applied(source)
    what = f"{tree} (Linux {version}" + (f", {len(patches)} patched)" if patches else ")")
    files = _Image(source, find_toolchain(), open_cache(), sandbox).files(what, say, warn)
    built = files / IMAGE
    with DebugTypes(files / _OBJECT) as types:
        layout = KernelLayout.of(types, built)
    named = "".join(f" + {patch.name}" for patch in patches)
    return KernelImage(built, layout, f"{tree}{named}, by a minimal configuration")


def _require_applied(source: Source) -> None:
    """Refuse patches that are not applied, where `check --kernel` builds nothing but this does."""
    left = [path for path in source.skipped if path.partition("/")[0] in _ELSEWHERE]
    if left:
        raise PatchError(
            f"a patch changes {left[0]}, where iopermit applies none. Apply it to the tree, and "
            "give that"
        )


class _Image:
    def __init__(
        self, source: Source, toolchain: Toolchain, store: Cache, choice: SandboxChoice
    ) -> None:
        self.source, self.toolchain, self.store, self.choice = source, toolchain, store, choice
        self.parts = ("image", toolchain.compiler, CONFIGURATION, _state_of(source.tree))
        self.origin = Origin("kernel image", fingerprint(source, *self.parts), toolchain.compiler)

    def files(self, what: str, say: Callable[[str], None], warn: Callable[[str], None]) -> Path:
        """Return the directory with the image and the object, built now or before."""
        with self.store.locked(self.origin.made_of):
            return self._found() or self._built(what, say, warn)

    def _found(self) -> Path | None:
        found = self.store.find(_sandboxed(self.origin))
        return found or (None if self.choice == "on" else self.store.find(self.origin))

    def _built(self, what: str, say: Callable[[str], None], warn: Callable[[str], None]) -> Path:
        sandbox = find_sandbox(self.choice, self.toolchain.programs)
        warn_of(self.source, sandbox, warn)
        with self.store.workspace() as made, self._directory(sandbox) as directory:
            require_usable(directory, _SPACE)
            top, tree = directory.resolve(), self.source.tree.resolve()
            kbuild = Kbuild(top / "source", top / "build", self.toolchain, sandbox, tree)
            needed = _needed(self.source)
            workspace = ImageWorkspace(top, self.source, kbuild, CONFIGURATION, needed)
            failure = workspace.build(_DESCRIBED, lambda text: say(f"{what}: {text}"))
            if failure is not None:
                raise BuildError(
                    f"{what} cannot be built: {failure.target or 'make failed'}\n{failure.message}"
                )
            self._collect(kbuild, made / "files")
            origin = _sandboxed(self.origin) if sandbox.program else self.origin
            return self.store.publish(origin, made / "files")

    def _directory(self, sandbox: BuildSandbox) -> AbstractContextManager[Path]:
        """Give a directory to build in: the one of the last kernel of this tree, if it fits."""
        if not only_compiled(self.source):
            return self.store.workspace()
        unpatched = fingerprint(Source(self.source.tree), *self.parts)
        origin = Origin("kernel image workspace", unpatched, self.toolchain.compiler)
        return self.store.lasting_workspace(_sandboxed(origin) if sandbox.program else origin)

    def _collect(self, kbuild: Kbuild, target: Path) -> None:
        for name in (IMAGE, _OBJECT):
            content = kbuild.read(name)
            if content is None:
                raise BuildError(f"{self.source.tree}: its build left no {name}")
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)


def _needed(source: Source) -> tuple[str, ...]:
    """Return the symbols without which the kernel would be of no use."""
    return (*_NEEDED, "X86_IOPL_IOPERM") if detect(source).x86_iopl_ioperm else _NEEDED


def _sandboxed(origin: Origin) -> Origin:
    """Return the origin of what is built of the same in a sandbox."""
    return origin._replace(made_of=origin.made_of + SANDBOXED)


def _state_of(tree: Path) -> str:
    """Return a digest of names, sizes and dates of what a kernel is made of besides."""
    digest = hashlib.blake2b(str(tree.resolve()).encode(), digest_size=16)
    for directory in _ELSEWHERE:
        for path, entry in _walk(tree, directory):
            state = entry.stat(follow_symlinks=False)
            digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _walk(tree: Path, directory: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    if not (tree / directory).is_dir():
        return
    with os.scandir(tree / directory) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            path = f"{directory}/{entry.name}"
            if is_product(path, entry):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(tree, path)
            else:
                yield path, entry
