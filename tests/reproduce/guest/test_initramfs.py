"""File systems for a booting kernel are what cpio(1) unpacks."""

from __future__ import annotations

import struct

from iopermit.reproduce.guest.initramfs import Initramfs


def entries(image: bytes) -> dict[str, tuple[int, bytes]]:
    """Return mode and contents of what is in an archive of the format "newc"."""
    found, at = {}, 0
    while at < len(image):
        assert image[at : at + 6] == b"070701"
        words = [int(image[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = words[1], words[6], words[11]
        name = image[at + 110 : at + 110 + name_size - 1].decode()
        at += (110 + name_size + 3) & ~3
        found[name] = (mode, image[at : at + size])
        at += (size + 3) & ~3
    return found


def test_everything_added_is_there() -> None:
    """Folders come before what is in them, files have their contents, and a trailer ends it."""
    image = Initramfs()
    image.file("a/b/file", struct.pack("5s", b"12345"), executable=True)
    image.character_device("dev/console", 5, 1)
    found = entries(image.image())
    assert list(found) == ["a", "a/b", "a/b/file", "dev", "dev/console", "TRAILER!!!"]
    assert found["a/b/file"] == (0o100755, b"12345")
    assert found["a"][0] == 0o040755
    assert found["dev/console"][0] == 0o020600


def test_an_image_can_be_made_before_it_is_complete() -> None:
    """What is added after an image was made is in the next one only."""
    image = Initramfs()
    before = image.image()
    image.file("file", b"")
    assert list(entries(before)) == ["TRAILER!!!"]
    assert "file" in entries(image.image())
