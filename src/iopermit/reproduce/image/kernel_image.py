"""A kernel that can be booted, and where its structures have their members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.reproduce.image.btf import kernel_types
from iopermit.reproduce.image.bzimage import unpack
from iopermit.reproduce.image.layout import KernelLayout

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class KernelImage:
    """A kernel."""

    file: Path
    """A bzImage."""
    layout: KernelLayout
    built_from: str = ""
    """The tree and patches that it was built from; empty if it was given as it is."""


def read_image(file: Path) -> KernelImage:
    """Return a kernel that was built elsewhere.

    Raises:
        ReproduceError: it is no bzImage, or has no types.
        MissingExtraError: a library that unpacks it is not installed.
        OSError: it cannot be read.
    """
    return KernelImage(file, KernelLayout.of(kernel_types(unpack(file), file), file))
