"""Makes directories that look like kernel trees, for tests that build nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_tree(
    directory: Path, version: tuple[int, int, int] = (6, 12, 7), extra: str = "", x86: str = "64BIT"
) -> Path:
    """Write the few files by which a kernel tree is recognised."""
    kernel = directory / "arch/x86/kernel"
    kernel.mkdir(parents=True)
    (kernel / "ioport.c").write_text("")
    (directory / "arch/x86/Kconfig").write_text(f"config {x86}\n\tdef_bool y\n")
    (directory / "Kbuild").write_text("")
    numbers = "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\n".format(*version)
    (directory / "Makefile").write_text(f"{numbers}EXTRAVERSION ={extra}\nNAME = A Name\n")
    return directory
