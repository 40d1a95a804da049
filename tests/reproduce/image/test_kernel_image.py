"""An image that was built elsewhere is read: unpacked, and its types understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.machine.real_linux import kernel
from tests.support.reproduce.images import PACKERS, bz_image

from iopermit.reproduce.errors import ReproduceError
from iopermit.reproduce.image.kernel_image import read_image


def test_a_real_image_is_read() -> None:
    """Debian's kernel has all that is needed, and was not built here."""
    image = read_image(kernel())
    assert image.layout.io_bitmap > 0
    assert image.built_from == ""


def test_an_image_without_types_is_refused(tmp_path: Path) -> None:
    """A kernel without BTF is told what it needs, with the image's name."""
    content = Path("/bin/true").read_bytes()
    image = tmp_path / "vmlinuz"
    image.write_bytes(bz_image(PACKERS["xz"](content), len(content)))
    with pytest.raises(ReproduceError, match=r"vmlinuz has no BTF.*CONFIG_DEBUG_INFO_BTF"):
        read_image(image)
