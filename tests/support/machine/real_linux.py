"""Runs programs on Debian's kernel, booted under QEMU in software: the reference for the rest."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.packages import unpacked
from tests.support.requirements import require_tool

from iopermit.reproduce.guest.initramfs import Initramfs

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 240
"""After which a machine is given up."""
_ENDED = re.compile(rb"\n=== status (\d+)\n")
_KERNEL_OPTIONS = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check"


@dataclass(frozen=True)
class Ended:
    """What a program printed and how it ended."""

    output: str
    """Standard output and error."""
    status: int
    """Exit status, or 128 plus the number of the signal."""


def base_image() -> Initramfs:
    """Return an image with the first process; programs and files are added to it."""
    image = Initramfs()
    image.program("init", compiled(PROGRAMS / "init.c", "-static"))
    image.character_device("dev/console", 5, 1)
    image.folder("proc")
    return image


def run_on_linux(image: Initramfs, commands: Sequence[str], *, cpus: int = 2) -> list[Ended]:
    """Boot, run the commands (words split at spaces) one after the other, and shut down."""
    qemu = require_tool("qemu-system-x86_64")
    image.file("commands", "".join(f"{command}\n" for command in commands).encode())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "initrd").write_bytes(image.image())
        command = [
            *(str(qemu), "-accel", "tcg", "-cpu", "max", "-m", "256", "-smp", str(cpus)),
            *("-nodefaults", "-display", "none", "-no-reboot"),
            *("-kernel", str(kernel()), "-initrd", str(folder / "initrd")),
            *("-append", _KERNEL_OPTIONS, "-serial", f"file:{folder / 'console'}"),
            *("-chardev", f"file,id=results,path={folder / 'results'}"),
            *("-device", "isa-debugcon,iobase=0xe9,chardev=results"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        console = _text(folder / "console").decode(errors="replace")
        parts = _ENDED.split(_text(folder / "results"))
    ended = [
        Ended(output.decode(errors="replace"), int(status))
        for output, status in zip(parts[::2], parts[1::2], strict=False)
    ]
    assert len(ended) == len(commands), f"the kernel printed:\n{console}\n{done.stderr}"
    return ended


def kernel() -> Path:
    """Return the compressed image of Debian's kernel for virtual machines."""
    name = "linux-image-6.1.0-*-cloud-amd64"
    (image,) = (unpacked(name, members=("boot/vmlinuz",)) / "boot").glob("vmlinuz-*")
    return image


def _text(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
