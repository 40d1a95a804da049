"""Loads ELF programs: what execve(2) does with the file, and the first stack.

Sources: System V ABI (ELF), psABI for x86-64 and i386 ("Process Initialization"), getauxval(3).
"""

from __future__ import annotations

import errno
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from elftools.common.exceptions import ELFError, ELFParseError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

from iopermit.machine.memory.areas import PROT_EXEC, PROT_READ, PROT_WRITE, Area
from iopermit.machine.memory.physical import PAGE
from iopermit.machine.program.first_stack import FirstStack

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from elftools.elf.segments import Segment

    from iopermit.machine.credentials import Credentials
    from iopermit.machine.memory.address_space import AddressSpace
    from iopermit.machine.memory.areas import FilePages

_TOPS: Final = {64: 0x7FFF_FFFF_F000, 32: 0xFFFF_E000}
_PIE_BASES: Final = {64: 0x5555_5555_4000, 32: 0x5655_5000}
_STACK_SIZE: Final = 33 * PAGE
_STACK_GAP: Final = 128 << 20
"""Room that mappings leave below the end of the stack."""
_LONGEST_PATH: Final = 4096
_ENDS: Final = {"EM_X86_64": 64, "EM_386": 32}
_KINDS: Final = ("ET_EXEC", "ET_DYN")
_MACHINES: Final = {"EM_ARM": "ARM", "EM_AARCH64": "AArch64", "EM_RISCV": "RISC-V"}

AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY = 3, 4, 5, 6, 7, 8, 9
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_HWCAP, AT_CLKTCK, AT_SECURE = 11, 12, 13, 14, 16, 17, 23


class ExecError(Exception):
    """A file cannot be executed; `str()` says why and `errno` how execve(2) says it."""

    def __init__(self, number: int, message: str) -> None:
        self.errno = number
        super().__init__(message)


@dataclass(frozen=True, eq=False)
class ElfImage:
    """A parsed ELF file."""

    path: str
    file: FilePages
    bits: int
    entry: int
    program_headers: int
    header_count: int
    header_size: int
    segments: tuple[Segment, ...]
    interpreter: str | None
    position_independent: bool

    @property
    def low(self) -> int:
        """The first address that the file asks for."""
        return min(s["p_vaddr"] for s in self.segments) // PAGE * PAGE

    @property
    def high(self) -> int:
        """The end of the last page that the file asks for."""
        return -(-max(s["p_vaddr"] + s["p_memsz"] for s in self.segments) // PAGE) * PAGE


@dataclass(frozen=True, eq=False)
class Program:
    """A program in an address space, ready to start.

    Attributes:
        bits: 64 or 32.
        path: the file.
        space: its memory.
        start: where execution begins.
        stack: the first stack pointer.
        arguments_at: where the arguments lie, from and up to before.
        environment_at: where the environment lies.
    """

    bits: int
    path: str
    space: AddressSpace
    start: int
    stack: int
    arguments_at: tuple[int, int]
    environment_at: tuple[int, int]


class _Stream(io.RawIOBase):
    """The bytes of a file as a stream."""

    def __init__(self, file: FilePages) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max((0, self._at, self._file.size)[whence] + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        data = self._file.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def read_image(path: str, file: FilePages) -> ElfImage:
    """Parse an executable file. Raises ExecError."""
    try:
        head = file.read(0, 20)
        if head[:4] != b"\x7fELF":
            kind = "an empty file" if not head else "not an ELF file"
            raise ExecError(errno.ENOEXEC, f"{path} is {kind}; only ELF programs can be run")
        return _parse(path, file, ELFFile(io.BufferedReader(_Stream(file))))
    except (
        ELFError,
        ELFParseError,
        ConstructError,
        ArithmeticError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        # elftools raises these too for fields that make no sense.
        raise ExecError(errno.ENOEXEC, f"{path} is a damaged or truncated ELF file") from error


def _parse(path: str, file: FilePages, elf: ELFFile) -> ElfImage:
    machine, kind = elf["e_machine"], elf["e_type"]
    bits = _ENDS.get(machine)
    if bits is None or elf.elfclass != bits:
        name = _MACHINES.get(machine, str(machine).removeprefix("EM_"))
        message = f"{path} is a program for {name}; only x86-64 and i386 programs can be run"
        raise ExecError(errno.ENOEXEC, message)
    if kind not in _KINDS:
        raise ExecError(errno.ENOEXEC, f"{path} is an ELF file but not a program ({kind})")
    segments = tuple(s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_memsz"])
    names = [s for s in elf.iter_segments() if s["p_type"] == "PT_INTERP"]
    cut = any(s["p_offset"] + s["p_filesz"] > file.size for s in (*segments, *names))
    if not segments or cut:
        what = "truncated" if cut else "damaged: it has nothing to load"
        raise ExecError(errno.ENOEXEC, f"{path} is {what}")
    first = min(segments, key=lambda s: int(s["p_vaddr"]))
    return ElfImage(
        path,
        file,
        bits,
        elf["e_entry"],
        elf["e_phoff"] + first["p_vaddr"] - first["p_offset"],
        elf["e_phnum"],
        elf["e_phentsize"],
        segments,
        _interpreter_name(names[0], file) if names else None,
        kind == "ET_DYN",
    )


def load(
    image: ElfImage,
    interpreter: ElfImage | None,
    space: AddressSpace,
    arguments: Sequence[bytes],
    environment: Sequence[bytes],
    credentials: Credentials,
    randomness: random.Random,
) -> Program:
    """Put a program and its interpreter into an empty address space.

    Args:
        image: the program.
        interpreter: the one that it names, if it names one.
        space: as `space_top` says.
        arguments: argv.
        environment: envp.
        credentials: for the auxiliary vector.
        randomness: for AT_RANDOM.

    Raises:
        ExecError: there is no room, or the arguments are too long.
        OutOfMemoryError: there is no memory for the page tables or the stack.
    """
    base = _PIE_BASES[image.bits] - image.low if image.position_independent else 0
    _map(image, space, base)
    space.break_start = space.break_end = base + image.high
    start, interpreter_base = base + image.entry, 0
    if interpreter is not None:
        size = interpreter.high - interpreter.low
        place = space.gap(size, mmap_base(image.bits))
        if place is None:
            raise ExecError(errno.ENOMEM, f"{image.path}: no room for {interpreter.path}")
        interpreter_base = place - interpreter.low
        _map(interpreter, space, interpreter_base)
        start = interpreter_base + interpreter.entry
    vector = {
        AT_PAGESZ: PAGE,
        AT_HWCAP: 0,
        AT_CLKTCK: 100,
        AT_PHDR: base + image.program_headers,
        AT_PHENT: image.header_size,
        AT_PHNUM: image.header_count,
        AT_BASE: interpreter_base,
        AT_FLAGS: 0,
        AT_ENTRY: base + image.entry,
        AT_UID: credentials.uid,
        AT_EUID: credentials.euid,
        AT_GID: credentials.gid,
        AT_EGID: credentials.egid,
        AT_SECURE: 0,
    }
    top = space_top(image.bits)
    stack = Area(top - _STACK_SIZE, top, PROT_READ | PROT_WRITE, name="[stack]", grows_down=True)
    space.add(stack)
    texts = sum(len(text) + 1 for text in (*arguments, *environment))
    if texts > _STACK_SIZE - 4 * PAGE:
        message = f"the arguments and the environment of {image.path} are too long"
        raise ExecError(errno.E2BIG, message)
    first = FirstStack(space, image.bits)
    pointer = first.fill(arguments, environment, image.path, vector, randomness)
    places = first.arguments_at, first.environment_at
    return Program(image.bits, image.path, space, start, pointer, *places)


def space_top(bits: int) -> int:
    """Return the first address that programs cannot have."""
    return _TOPS[bits]


def mmap_base(bits: int) -> int:
    """Return the address below which mappings are placed."""
    return _TOPS[bits] - _STACK_GAP


def _interpreter_name(segment: Segment, file: FilePages) -> str:
    name = file.read(segment["p_offset"], min(segment["p_filesz"], _LONGEST_PATH))
    return os.fsdecode(name.rstrip(b"\0"))


def _map(image: ElfImage, space: AddressSpace, base: int) -> None:
    """Map the segments of a file; the rest of the last page of each is zero."""
    for segment in image.segments:
        address = base + segment["p_vaddr"]
        start = address // PAGE * PAGE
        end = -(-(address + segment["p_memsz"]) // PAGE) * PAGE
        if start < PAGE or end > space.top:
            raise ExecError(errno.ENOMEM, f"{image.path} asks for addresses that it cannot have")
        flags = segment["p_flags"]
        rights = (
            PROT_READ * bool(flags & 4) | PROT_WRITE * bool(flags & 2) | PROT_EXEC * (flags & 1)
        )
        offset = segment["p_offset"] - (address - start)
        file_end = segment["p_offset"] + segment["p_filesz"]
        # What follows in the file is not seen in the last page if the segment is longer in memory.
        if segment["p_memsz"] == segment["p_filesz"]:
            file_end = -(-file_end // PAGE) * PAGE
        space.add(Area(start, end, rights, image.file, offset, file_end, name=image.path))
