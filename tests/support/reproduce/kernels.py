"""Images of Debian's kernels, out of packages that were only downloaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tests.support.machine.packages import unpacked
from tests.support.requirements import require_tool

if TYPE_CHECKING:
    from pathlib import Path

THOROUGH: Final = os.environ.get("IOPERMIT_REPRODUCE") == "1"
"""Whether all kernels are booted, ten times each, as `make reproduce` does: some minutes."""
CLOUD_6_1: Final = "linux-image-6.1.0-*-cloud-amd64"
CLOUD_6_12: Final = "linux-image-6.12.*-cloud-amd64"
REAL_TIME_6_1: Final = "linux-image-6.1.0-*-rt-amd64"


def require_image(package: str) -> Path:
    """Return the image of a kernel; skips without its package, or without what boots it."""
    for tool in ("qemu-system-x86_64", "gcc"):
        require_tool(tool)
    (image,) = (unpacked(package, members=("boot/vmlinuz",)) / "boot").glob("vmlinuz-*")
    return image
