"""The guest's program: compiled from C, packed as the kernel's first file system."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from iopermit.reproduce.errors import ReproduceError
from iopermit.reproduce.guest.initramfs import Initramfs

if TYPE_CHECKING:
    from iopermit.reproduce.guest.commands import GuestProgram

_OPTIONS: Final = ("-static", "-no-pie", "-O1")
IN_BYTE: Final = "guest_in_byte"
"""The label of the instruction that reads a port of one byte."""


@dataclass(frozen=True)
class CompiledGuest:
    """The first process of guests, an ELF file."""

    content: bytes
    in_byte: int
    """Address of its instruction that reads a port of one byte."""

    def file_system(self, program: GuestProgram) -> bytes:
        """Return the image of the kernel's first file system, with a program's commands."""
        image = Initramfs()
        image.file("init", self.content, executable=True)
        image.file("commands", program.text.encode())
        image.character_device("dev/console", 5, 1)
        for folder in ("proc", "sys"):
            image.folder(folder)
        return image.image()


def compile_guest() -> CompiledGuest:
    """Compile the guest's program.

    Raises:
        ReproduceError: gcc is missing, or cannot link a static program.
    """
    gcc = shutil.which("gcc")
    if gcc is None:
        raise ReproduceError("reproduce needs gcc; on Debian and Ubuntu: apt-get install gcc")
    source = resources.files(__package__).joinpath("init.c").read_bytes()
    with tempfile.TemporaryDirectory(prefix="iopermit-") as folder:
        target = Path(folder) / "init"
        command = [gcc, *_OPTIONS, "-x", "c", "-o", str(target), "-"]
        done = subprocess.run(command, input=source, capture_output=True, check=False)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"status {done.returncode}"
            raise ReproduceError(
                f"gcc cannot compile the guest's program: {reason}; it needs the C library's "
                "static archive and the kernel's headers (Debian: libc6-dev, linux-libc-dev)"
            )
        content = target.read_bytes()
    return CompiledGuest(content, _address(content, IN_BYTE))


def _address(program: bytes, name: str) -> int:
    symbols = ELFFile(io.BytesIO(program)).get_section_by_name(".symtab")
    assert isinstance(symbols, SymbolTableSection)  # it was not stripped
    found = symbols.get_symbol_by_name(name)
    assert found is not None  # it is in the source
    return int(found[0]["st_value"])
