"""What is to be built of a tree: its objects, the shim, and everything that determines them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from iopermit.cache.entry import Origin
from iopermit.kernel.build.configuration import FULL, Configuration
from iopermit.kernel.build.features import Features, detect
from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source
from iopermit.kernel.build.toolchain import Toolchain, find_toolchain
from iopermit.kernel.build.tree import require_checkable
from iopermit.kernel.build.xen import detect_xen

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

SHIM = "arch/x86/kernel/iopermit_shim.o"
CPU_SHIM = "arch/x86/kernel/cpu/iopermit_cpu.o"
ENTRY_SHIM = "arch/x86/entry/iopermit_entry.o"
"""Only where the way back to user mode is no function of the generic entry code."""
XEN_SHIM = "arch/x86/xen/iopermit_xen.o"
"""Only for a Xen PV guest."""
_PARAVIRT = "arch/x86/kernel/paravirt.o"
"""The operations that a Xen PV guest replaces, and those that it does not."""
_PARAVIRT_LIBRARY = ("arch/x86/kernel/irqflags.o",)
"""What some of them call in old trees: native_save_fl()."""
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
SYSTEM_CALL = "arch/x86/entry/syscall_64.o"
CALLERS = ("kernel/exit.o", "kernel/fork.o", "kernel/entry/common.o", SYSTEM_CALL)
"""What calls the subsystem from elsewhere. It is not executed: its calls are looked for."""


@dataclass(frozen=True)
class BuildPlan:
    """Everything that determines what is built."""

    source: Source
    version: str
    features: Features
    toolchain: Toolchain
    additions: dict[str, bytes]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    configuration: Configuration = FULL

    @property
    def origin(self) -> Origin:
        """What the build is made of."""
        return Origin("kernel build", self._hash(), self.toolchain.compiler)

    def origin_without(self, files: Collection[str]) -> Origin:
        """Return what a workspace is made of in which some files of the tree may be others."""
        # A workspace has links to the tree.
        made_of = self._hash(str(self.source.tree.resolve()), without=files)
        return Origin("kernel workspace", made_of, self.toolchain.compiler)

    def _hash(self, *more: str, without: Collection[str] = ()) -> str:
        parts = [part for item in sorted(self.additions.items()) for part in item]
        parts += [
            self.toolchain.compiler,
            self.configuration.text,
            *self.required,
            *self.optional,
            *more,
        ]
        # Versions that share a cache but know no seals must not take these for theirs.
        return fingerprint(self.source, "sealed", *parts, without=without)

    @property
    def what(self) -> str:
        """The tree, for messages."""
        count = len(self.source.changed)
        patched = f", {count} {'file' if count == 1 else 'files'} patched" if count else ""
        return f"{self.source.tree} (Linux {self.version}{patched})"


def plan_build(
    tree: Path,
    patches: Sequence[Path],
    *,
    reverse: bool = False,
    configuration: Configuration = FULL,
) -> BuildPlan:
    """Return what is to be built of a tree with patches, or without those that it has.

    Raises:
        KernelTreeError: The tree or a patch cannot be used, or no compiler is there.
        OSError: The tree cannot be read.
    """
    unpatched = Source(tree.absolute())
    require_checkable(unpatched)
    source = apply_patches(unpatched, patches, reverse=reverse)
    version = require_checkable(source)
    toolchain = find_toolchain()
    features = detect(source)
    shims = shims_for(features)
    plan = BuildPlan(
        source,
        version,
        features,
        toolchain,
        _additions(source, shims, features.macros()),
        required=(*_SUBSYSTEM, *shims),
        optional=tuple(p for p in (*_LIBRARY, *CALLERS) if _is_made_of_source(source, p)),
        configuration=configuration,
    )
    return _as_xen_guest(plan) if configuration.xen else plan


def _as_xen_guest(plan: BuildPlan) -> BuildPlan:
    """Return a plan with what makes the kernel a Xen PV guest.

    Raises:
        BuildError: The tree tells Xen nothing of the map, or in a way that is not known.
    """
    source, macros = plan.source, detect_xen(plan.source).macros()
    more = tuple(path for path in _PARAVIRT_LIBRARY if _is_made_of_source(source, path))
    return replace(
        plan,
        additions={**plan.additions, **_additions(source, (XEN_SHIM,), macros)},
        required=(*plan.required, XEN_SHIM, _PARAVIRT),
        optional=(*plan.optional, *more),
    )


def _is_made_of_source(source: Source, path: str) -> bool:
    stem = path.removesuffix(".o")
    if path == SYSTEM_CALL and "do_syscall_64" not in source.text(f"{stem}.c"):
        # The table of system calls alone, before do_syscall_64() came into the same file.
        return False
    return source.has(f"{stem}.c") or source.has(f"{stem}.S")


def shims_for(features: Features) -> tuple[str, ...]:
    """Return the objects of the shim that a tree needs."""
    own_entry = () if features.arch_exit_to_user_mode_prepare else (ENTRY_SHIM,)
    return (*own_entry, SHIM, CPU_SHIM)


def _additions(source: Source, shims: Sequence[str], macros: Sequence[str]) -> dict[str, bytes]:
    """Return the shim's files, and the Makefiles with the lines that build them."""
    additions: dict[str, bytes] = {}
    shim = resources.files("iopermit.kernel.build") / "shim"
    for path in shims:
        directory, _, name = path.rpartition("/")
        text = f"{name.removesuffix('.o')}.c"
        additions[f"{directory}/{text}"] = (shim / text).read_bytes()
        lines = f"\nobj-y += {name}\nCFLAGS_{name} += {' '.join(macros)}\n"
        makefile = f"{directory}/Makefile"
        additions[makefile] = (source.read(makefile) or b"") + lines.encode()
    return additions
