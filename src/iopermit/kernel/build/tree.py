"""Recognises a kernel tree that iopermit can check, and says what it is or why it cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.kernel.build.source import Source

OLDEST = (5, 3)
"""The oldest version whose code the shim knows how to call."""

_VERSION = re.compile(
    r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)", re.MULTILINE
)
_NUMBER = re.compile(r"[0-9]{1,6}")


def version_of(source: Source) -> str:
    """Return the version that the tree's Makefile states, such as `6.12.1` or `6.13.0-rc1`.

    Raises:
        KernelTreeError: The Makefile is not that of a Linux kernel.
    """
    parts: dict[str, str] = dict(_VERSION.findall(source.text("Makefile")[:4096]))
    if not {"VERSION", "PATCHLEVEL"} <= parts.keys() or not source.has("Kbuild"):
        raise KernelTreeError(
            f"{source.tree} is not a Linux kernel source tree: its Makefile states no VERSION and "
            f"PATCHLEVEL. Give the top directory of an unpacked tree (v5.3 or later)"
        )
    stated = {name: parts.get(name) or "0" for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")}
    for name, value in stated.items():
        if not _NUMBER.fullmatch(value):
            raise KernelTreeError(
                f"{source.tree} is not a Linux kernel source tree: its Makefile states "
                f"{name} = {value[:40]}, which is no number"
            )
    return ".".join(stated.values()) + parts.get("EXTRAVERSION", "")


def require_checkable(source: Source) -> str:
    """Return the version of a tree that can be checked.

    Raises:
        KernelTreeError: No kernel, too old, without x86, or x86-32 only.
    """
    _require_directory(source.tree)
    version = version_of(source)
    major, minor = (int(number) for number in version.split(".")[:2])
    if (major, minor) < OLDEST:
        raise KernelTreeError(
            f"{source.tree} is Linux {version}: too old. iopermit can call the code of v5.3 and "
            f"later; for older kernels check a design (`iopermit list`)"
        )
    if not source.has("arch/x86/kernel/ioport.c"):
        raise KernelTreeError(
            f"{source.tree} (Linux {version}) has no arch/x86/kernel/ioport.c: the x86 part of the "
            f"tree is missing or incomplete. Unpack the whole tree"
        )
    if not re.search(r"^config (64BIT|X86_64)\b", source.text("arch/x86/Kconfig"), re.MULTILINE):
        raise KernelTreeError(
            f"{source.tree} (Linux {version}) can only be built for x86-32: arch/x86/Kconfig has "
            f"no 64BIT and no X86_64. iopermit executes x86-64 kernel code only"
        )
    return version


def _require_directory(tree: Path) -> None:
    """Refuse what is no directory, with a remedy for the usual mistake."""
    if not tree.exists():
        raise KernelTreeError(f"no such directory: {tree}")
    if not tree.is_dir():
        remedy = "unpack it first, then give the directory" if ".tar" in tree.name else ""
        raise KernelTreeError(
            f"{tree} is not a directory; {remedy or 'give the top directory of a kernel tree'}"
        )
