"""Records what a process does to the files of a folder, by its system calls: none can be missed."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.requirements import require_tool, skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_READING: Final = (
    "read,readv,pread64,preadv,preadv2,stat,lstat,fstat,newfstatat,statx,access,faccessat2,readlink"
)
"""Calls that change nothing. All others are recorded, whichever they are."""
_HARMLESS: Final = frozenset(
    ["close", "ioctl", "fcntl", "flock", "getdents64", "chmod", "statfs", "execve", "getcwd"]
)
"""Recorded calls after which content and names are what they were."""
_LINE: Final = re.compile(r"(\w+)\((.*)\) += (\d+)(?:<.*>)?(?: \(INJECTED\))?$")
_TEXT: Final = re.compile(r'["<]((?:\\x[0-9a-f]{2})*)[">]')
_LAST: Final = re.compile(r" (\d+)$")
_KINDS: Final = {
    "pwrite64": "write",
    "ftruncate": "truncate",
    "fsync": "sync",
    "fdatasync": "sync",
    "mkdir": "mkdir",
    "unlink": "remove",
    "rmdir": "remove",
}
"""Calls whose arguments are a file or folder, and where they do something."""


@dataclass(frozen=True)
class FileCall:
    """A call that changes a file or folder, or waits until it is on the disk.

    Attributes:
        kind: `create`, `mkdir`, `write`, `truncate`, `sync`, `rename` or `remove`.
        path: what is changed.
        content: what is written.
        place: where it is written, or to which length the file is truncated.
        target: the new name.
    """

    kind: str
    path: Path
    content: bytes = b""
    place: int = 0
    target: Path | None = None


def traced(command: Sequence[str], folder: Path, status: int) -> list[FileCall]:
    """Run a command that ends with a status; return its calls about a folder and all in it.

    Needs strace and a system that lets it trace; else the running test is skipped.
    """
    log = folder.parent / "strace.log"
    strace = [str(require_tool("strace")), "-f", "-y", "-xx", "-s", str(1 << 26), "-o", str(log)]
    tried = subprocess.run([*strace, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        skip_or_fail(f"needs strace, which may not trace here: {tried.stderr.strip()}")
    # Nothing waits for the disk: that takes minutes on a busy one, and is recorded all the same.
    wanted = [f"--trace=!{_READING}", "--inject=fsync,fdatasync:retval=0"]
    ran = subprocess.run([*strace, *wanted, *command], capture_output=True, text=True, check=False)
    assert ran.returncode == status, ran.stderr
    with log.open(encoding="ascii") as stream:
        return list(_calls(_whole(stream), folder))


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield calls without their process; one that another thread interrupted is put together."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, text = line.rstrip().partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>")
        elif text.startswith("<... "):
            yield begun.pop(process) + text.partition(" resumed>")[2]
        else:
            yield text


def _calls(lines: Iterable[str], folder: Path) -> Iterator[FileCall]:
    marked = "".join(f"\\x{byte:02x}" for byte in str(folder).encode())
    positions: dict[str, int] = {}
    for line in lines:
        if marked not in line:
            continue
        match = _LINE.match(line)
        if match is not None and match[1] not in _HARMLESS:
            for call in _call(match[1], match[2], int(match[3]), positions):
                # Else it is only spoken of, as in a message.
                if call.path.is_relative_to(folder):
                    yield call


def _call(name: str, given: str, result: int, positions: dict[str, int]) -> Iterator[FileCall]:
    """Yield what a call does, if it changes anything.

    Args:
        name: of the system call.
        given: its arguments.
        result: what it returned.
        positions: where descriptors are in their files.
    """
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(given)]
    path, descriptor = Path(texts[0].decode()), given.partition("<")[0]
    match name:
        case "openat":
            positions[str(result)] = 0
            assert "O_APPEND" not in given
            assert "O_TRUNC" not in given
            if "O_CREAT" in given:
                yield FileCall("create", path / texts[1].decode())
        case "lseek":
            positions[descriptor] = result
        case "write":
            place = positions.get(descriptor, 0)
            positions[descriptor] = place + result
            yield FileCall("write", path, texts[1][:result], place)
        case "rename":
            yield FileCall("rename", path, target=Path(texts[1].decode()))
        case "unlinkat":
            yield FileCall("remove", path / texts[1].decode())
        case _:
            assert name in _KINDS, f"what {name} does to files is not known here"
            place = int(_LAST.findall(given)[0]) if name in ("pwrite64", "ftruncate") else 0
            yield FileCall(_KINDS[name], path, b"".join(texts[1:])[:result], place)
