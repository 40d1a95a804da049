"""From the path of a program to its memory: scripts, ELF files and their interpreters."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.files.memory_tree import MemoryFile
from iopermit.machine.files.nodes import FileNode
from iopermit.machine.isolation.walks import WalkPurpose
from iopermit.machine.memory.areas import HostPages, SnapshotPages
from iopermit.machine.memory.physical import OutOfMemoryError
from iopermit.machine.program import elf
from iopermit.machine.tasks.proc_tree import OpenedNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.machine.files.namespace import Found
    from iopermit.machine.files.nodes import Viewer
    from iopermit.machine.files.open_files import OpenFile
    from iopermit.machine.memory.areas import FilePages
    from iopermit.machine.tasks.machine import Machine

_FIRST_LINE: Final = 256
"""BINPRM_BUF_SIZE: what is looked at of a script's first line."""
_MOST_SCRIPTS: Final = 4
"""How often the interpreter of a script can itself be a script."""
_LARGEST: Final = 256 << 20
"""Bytes of a program that lies in the machine's memory, of which a copy is made."""


@dataclass(frozen=True)
class Executable:
    """A file that may be executed: its canonical path and its contents."""

    path: str
    file: FilePages


@dataclass(frozen=True)
class Request:
    """What execve(2) is asked for.

    Attributes:
        viewer: who asks.
        cwd: where relative paths begin.
        path: as it was given; a script gets it as an argument.
        arguments: argv.
        environment: envp.
    """

    viewer: Viewer
    cwd: str
    path: str
    arguments: Sequence[bytes]
    environment: Sequence[bytes]


def find_executable(machine: Machine, viewer: Viewer, cwd: str, path: str) -> Executable:
    """Return a file that the viewer may execute. Raises KernelError, OutOfMemoryError."""
    found = machine.namespace.find(viewer, cwd, path, WalkPurpose.EXECUTE)
    if not found.exists:
        raise KernelError(errno.ENOENT)
    return executable_of(machine, found)


def executable_of(machine: Machine, found: Found) -> Executable:
    """Return what was found to be executed. Raises KernelError, OutOfMemoryError."""
    if found.answer is not None:
        if found.answer.descriptor < 0 or found.answer.status is None:
            raise KernelError(errno.ENFILE)
        return Executable(found.path, HostPages(found.answer.descriptor, found.answer.status))
    assert isinstance(found.node, FileNode)
    node = found.node
    if isinstance(node, OpenedNode):
        return executable_file(machine, node.file)
    if not isinstance(node, MemoryFile) or node.size > _LARGEST:
        raise KernelError(errno.EACCES)
    return Executable(found.path, SnapshotPages(machine.memory, node.read(0, node.size)))


def executable_file(machine: Machine, file: OpenFile) -> Executable:
    """Return an open file to be executed (fexecve). Raises KernelError, OutOfMemoryError."""
    status = file.status()
    if not status.mode & 0o111 or status.size > _LARGEST:
        raise KernelError(errno.EACCES)
    return Executable(file.path, SnapshotPages(machine.memory, file.pread(status.size, 0)))


def load_program(machine: Machine, executable: Executable, request: Request) -> elf.Program:
    """Return a program in memory of its own.

    Raises:
        ExecError: it cannot be executed.
        KernelError: its interpreter, or that of a script, is absent or may not be executed.
    """
    for _ in range(_MOST_SCRIPTS + 1):
        line = _script_line(executable)
        if line is None:
            return _load_elf(machine, executable, request)
        executable, request = _through_interpreter(machine, executable, request, line)
    raise KernelError(errno.ELOOP)


def _script_line(executable: Executable) -> bytes | None:
    """Return the first line of a script, behind its #!; None if it is no script."""
    try:
        head = executable.file.read(0, _FIRST_LINE)
    except OSError as error:
        raise KernelError(error.errno or errno.EIO) from error
    return head[2:].partition(b"\n")[0].strip(b" \t") if head[:2] == b"#!" else None


def _through_interpreter(
    machine: Machine, script: Executable, request: Request, line: bytes
) -> tuple[Executable, Request]:
    name, _, argument = line.partition(b" ") if b" " in line else line.partition(b"\t")
    if not name:
        raise elf.ExecError(errno.ENOEXEC, f"{script.path} is a script that names no interpreter")
    path, argument = os.fsdecode(name), argument.strip(b" \t")
    try:
        interpreter = find_executable(machine, request.viewer, request.cwd, path)
    except KernelError as error:
        why = os.strerror(error.errno)
        message = f"{script.path} is a script that needs the interpreter {path}: {why}"
        raise elf.ExecError(error.errno, message) from error
    head = [name, *([argument] if argument else []), os.fsencode(request.path)]
    arguments = [*head, *request.arguments[1:]]
    return interpreter, Request(request.viewer, request.cwd, path, arguments, request.environment)


def _load_elf(machine: Machine, executable: Executable, request: Request) -> elf.Program:
    image = elf.read_image(executable.path, executable.file)
    interpreter = None if image.interpreter is None else _elf_interpreter(machine, image, request)
    space = machine.new_space(image.bits)
    try:
        return elf.load(
            image, interpreter, space, request.arguments or [os.fsencode(request.path)],
            request.environment, request.viewer.credentials, machine.entropy,
        )  # fmt: skip
    except OutOfMemoryError as error:
        space.release()
        message = f"there is not enough memory for {image.path}; a larger --memory makes more"
        raise elf.ExecError(errno.ENOMEM, message) from error
    except BaseException:
        space.release()
        raise


def _elf_interpreter(machine: Machine, image: elf.ElfImage, request: Request) -> elf.ElfImage:
    path = image.interpreter or ""
    try:
        found = find_executable(machine, request.viewer, request.cwd, path)
        interpreter = elf.read_image(found.path, found.file)
    except KernelError as error:
        message = f"{image.path} needs the interpreter {path}: {os.strerror(error.errno)}"
        raise elf.ExecError(error.errno, message) from error
    except elf.ExecError as error:
        message = f"{image.path} needs the interpreter {path}: {error}"
        raise elf.ExecError(error.errno, message) from error
    if interpreter.bits != image.bits:
        message = f"{image.path} needs the interpreter {path}, which has another word size"
        raise elf.ExecError(errno.ELIBBAD, message)
    return interpreter
