"""Images of kernels are unpacked, whichever way they are packed; others are refused."""

from __future__ import annotations

import builtins
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.reproduce.images import PACKERS, bz_image

from iopermit.engine.errors import MissingExtraError
from iopermit.reproduce.errors import ReproduceError
from iopermit.reproduce.image.bzimage import unpack

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = b"\x7fELF" + random.Random(1).randbytes(1000) + bytes(100_000)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("sectors", [0, 2, 31])
def test_a_kernel_is_unpacked(packing: str, sectors: int, tmp_path: Path) -> None:
    """What was packed comes out again, however long the image's setup is; 0 means 4 sectors."""
    image = tmp_path / "vmlinuz"
    content = bytearray(bz_image(PACKERS[packing](KERNEL), len(KERNEL), sectors=sectors or 4))
    content[0x1F1] = sectors
    image.write_bytes(content)
    assert unpack(image) == KERNEL


def test_lz4_in_several_blocks_is_unpacked(tmp_path: Path) -> None:
    """A kernel of more than the 8 MiB of a block of lz4 is unpacked as a whole."""
    kernel = KERNEL + random.Random(2).randbytes(9 << 20)
    image = tmp_path / "vmlinuz"
    image.write_bytes(bz_image(PACKERS["lz4"](kernel), len(kernel)))
    assert unpack(image) == kernel


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no bzImage"),
        (bytes(5000), "is no bzImage"),
        (b"\x7fELF" + bytes(5000), "is no bzImage"),
        (bz_image(b"BZh9", 5, version=0x207), "is no bzImage"),
        (bz_image(b"BZh9" + bytes(50), 5)[:-20], "is no bzImage"),
        (bz_image(b"BZh9", 5), "other than gzip, xz, zstd or lz4"),
        (bz_image(PACKERS["xz"](b"no kernel"), 9), "no ELF file"),
        (bz_image(PACKERS["zstd"](KERNEL), 1 << 31), "is damaged"),
        (bz_image(PACKERS["xz"](KERNEL), len(KERNEL) + 1), "bytes instead of"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """A file that is no bzImage, is cut off or packs no kernel gets a message that names it."""
    image = tmp_path / "vmlinuz"
    image.write_bytes(content)
    with pytest.raises(ReproduceError, match=message) as error:
        unpack(image)
    assert str(image) in str(error.value)


@pytest.mark.parametrize("packing", PACKERS)
def test_a_damaged_kernel_is_refused(packing: str, tmp_path: Path) -> None:
    """A kernel whose packed bytes were overwritten is refused, and no exception gets out."""
    packed = bytearray(PACKERS[packing](KERNEL))
    packed[12:200] = random.Random(3).randbytes(188)
    image = tmp_path / "vmlinuz"
    image.write_bytes(bz_image(bytes(packed), len(KERNEL)))
    with pytest.raises(ReproduceError):
        unpack(image)


@pytest.mark.parametrize(("packing", "library"), [("zstd", "zstandard"), ("lz4", "lz4")])
def test_a_missing_library_is_named(
    packing: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the library that unpacks it, the message names the library and the extra."""
    real = builtins.__import__

    def without(name: str, *others: Any) -> Any:  # noqa: ANN401 - the arguments of __import__
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return real(name, *others)

    image = tmp_path / "vmlinuz"
    image.write_bytes(bz_image(PACKERS[packing](KERNEL), len(KERNEL)))
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=rf"{library}.*iopermit\[reproduce\]"):
        unpack(image)
