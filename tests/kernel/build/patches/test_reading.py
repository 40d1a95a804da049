"""Reading patch files, up to a limit."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.patches.reading import LARGEST_PATCH, read_patch_file
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_compressed_file_is_unpacked(tmp_path: Path) -> None:
    """What gzip has packed is read as what it was."""
    (tmp_path / "p.gz").write_bytes(gzip.compress(b"text\n"))
    assert read_patch_file(tmp_path / "p.gz") == b"text\n"


def test_a_mark_of_the_byte_order_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Some editors write it in front of a header, which would not be one any more."""
    (tmp_path / "p").write_bytes(b"\xef\xbb\xbfdiff --git a/x b/x\n")
    assert read_patch_file(tmp_path / "p") == b"diff --git a/x b/x\n"


def test_a_small_file_that_unpacks_to_a_large_one(tmp_path: Path) -> None:
    """It is refused at the limit, whatever it would unpack to."""
    bomb = gzip.compress(b"\0" * LARGEST_PATCH) + gzip.compress(b"\0")
    assert len(bomb) < 1 << 20
    (tmp_path / "bomb").write_bytes(bomb)
    with pytest.raises(KernelTreeError, match="bomb has more than 64 MB"):
        read_patch_file(tmp_path / "bomb")


def test_a_file_without_an_end(tmp_path: Path) -> None:
    """A device that can be read for ever is refused at the limit."""
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(KernelTreeError, match="endless has more than 64 MB"):
        read_patch_file(tmp_path / "endless")


@pytest.mark.parametrize("data", [b"\x1f\x8bx", gzip.compress(b"text\n")[:-9]])
def test_damaged_compression(tmp_path: Path, data: bytes) -> None:
    """A damaged or cut compressed file is one message with its name."""
    (tmp_path / "cut").write_bytes(data)
    with pytest.raises(KernelTreeError, match=r"cannot read the patch .*cut"):
        read_patch_file(tmp_path / "cut")
