"""Takes files out of Debian packages without installing them."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine.cache import ROOT, cached
from tests.support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = "$IOPERMIT_PACKAGES, or .packages"
"""Where packages are looked for, in words."""
_MAGIC = b"!<arch>\n"
_HEADER = 60


def package(pattern: str) -> Path:
    """Return the newest downloaded package that matches; skips, saying how to get one.

    Packages are looked for in $IOPERMIT_PACKAGES, by default `.packages` in the repository.
    """
    found = find_package(pattern)
    if found is None:
        skip_or_fail(f"needs the Debian package {pattern} in {_folder()} (apt-get download)")
    return found


def find_package(pattern: str) -> Path | None:
    """Return the newest downloaded package that matches, if there is one."""
    found = sorted(_folder().glob(f"{pattern}_*.deb"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def _folder() -> Path:
    return Path(os.environ.get("IOPERMIT_PACKAGES") or ROOT / ".packages")


def take_out(path: Path, member: str, target: Path) -> None:
    """Write one file of a package, by its path without `/` in front, to another place."""
    with tarfile.open(fileobj=io.BytesIO(_data(path))) as archive:
        content = archive.extractfile(f"./{member}")
        assert content is not None, f"{path} has no {member}"
        with target.open("wb") as stream:
            shutil.copyfileobj(content, stream)


def unpacked(*patterns: str, members: tuple[str, ...] = ("",)) -> Path:
    """Return a folder with the files of packages whose path starts with one of `members`."""
    packages = [package(pattern) for pattern in patterns]
    inputs = [f"{path.name} {path.stat().st_size}" for path in packages]

    def unpack(folder: Path) -> None:
        for path in packages:
            with tarfile.open(fileobj=io.BytesIO(_data(path))) as archive:
                wanted = [m for m in archive if m.name.removeprefix("./").startswith(members)]
                archive.extractall(folder, wanted, filter="tar")

    return cached(patterns[0].replace("*", "N"), [*inputs, *members], unpack)


def library_path(program: Path) -> dict[str, str]:
    """Return the variable that lets an unpacked program find the libraries of its package."""
    depth = 2 if program.parent.parent.name == "usr" else 1
    root = program.parents[depth]
    folders = [f"{root}/{folder}/x86_64-linux-gnu" for folder in ("usr/lib", "lib")]
    return {"LD_LIBRARY_PATH": ":".join(folders)}


def _data(path: Path) -> bytes:
    """Return the compressed tar archive with a package's files."""
    return next(data for name, data in _ar_members(path) if name.startswith("data.tar"))


def _ar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give name and contents of the members of an `ar` archive, which a package is (deb(5))."""
    content = path.read_bytes()
    assert content.startswith(_MAGIC), f"{path} is no Debian package"
    at = len(_MAGIC)
    while at < len(content):
        header = content[at : at + _HEADER]
        size = int(header[48:58])
        at += _HEADER
        yield header[:16].decode().strip().rstrip("/"), content[at : at + size]
        at += size + size % 2
