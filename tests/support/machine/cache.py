"""Keeps what tests unpack or compile from one run to the next, safe for parallel test processes."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.requirements import require_tool, shared_cache, skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parents[3]
"""The repository."""
PROGRAMS = ROOT / "tests" / "machine" / "programs"
"""C programs of the tests."""
LINUX_SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
"""The kernel source of Debian's package linux-source-6.1."""


def cached(name: str, inputs: Sequence[str | bytes], make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` filled, now or in an earlier run with the same inputs."""
    digest = hashlib.sha256()
    for each in inputs:
        digest.update(each if isinstance(each, bytes) else each.encode())
        digest.update(b"\0")
    folder = shared_cache() / f"{name}-{digest.hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def compiled(source: Path, *options: str) -> Path:
    """Return the program that gcc makes of a C file; skips if gcc is absent."""
    gcc = require_tool("gcc")
    inputs: list[str | bytes] = [gcc.resolve().as_posix(), *options, source.read_bytes()]

    def compile_it(folder: Path) -> None:
        files = ["-o", str(folder / source.stem), str(source)]
        command = [str(gcc), "-O1", "-w", *options, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 and "-m32" in options and "No such file" in done.stderr:
            skip_or_fail("needs gcc-multilib to compile for i386")
        assert done.returncode == 0, done.stderr

    return cached(source.stem, inputs, compile_it) / source.stem


def linux_source(*members: str) -> Path:
    """Return a folder with files of Debian's kernel source, unpacked; skips if it is absent."""
    if not LINUX_SOURCE.is_file():
        skip_or_fail(f"needs {LINUX_SOURCE} of Debian's package linux-source-6.1")
    tar, _ = require_tool("tar"), require_tool("xz")
    status = LINUX_SOURCE.stat()
    inputs = [f"{status.st_size} {status.st_mtime_ns}", *members]

    def unpack(folder: Path) -> None:
        names = [f"linux-source-6.1/{member}" for member in members]
        command = [str(tar), "-xJf", str(LINUX_SOURCE), "-C", str(folder), "--strip-components=1"]
        # Each name occurs once: tar can stop after the last one.
        subprocess.run([*command, "--occurrence=1", *names], check=True)

    return cached("linux-source", inputs, unpack)
