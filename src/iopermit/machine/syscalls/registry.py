"""The table of system calls: names, numbers, arguments, and the functions that serve them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import MASK_32, MASK_64

if TYPE_CHECKING:
    from iopermit.machine.memory.address_space import AddressSpace
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserProcess, UserTask


@dataclass(frozen=True, slots=True)
class SystemCall:
    """A system call that is being served."""

    machine: Machine
    task: UserTask
    abi: int
    """64 is that of SYSCALL, 32 that of INT 0x80."""

    @property
    def process(self) -> UserProcess:
        """The process that makes it."""
        return self.task.process

    @property
    def space(self) -> AddressSpace:
        """Its memory."""
        return self.task.process.space

    @property
    def word(self) -> int:
        """Bytes in a long."""
        return self.abi // 8

    def signed(self, value: int, bits: int | None = None) -> int:
        """Return a number as signed: a long of the ABI, or of `bits` bits."""
        width = bits or self.abi
        value &= (1 << width) - 1
        return value - (1 << width) if value >> (width - 1) else value

    def read_int(self, address: int, size: int) -> int:
        """Return an unsigned number in user memory. Raises BadAddressError."""
        return int.from_bytes(self.space.read(address, size), "little")

    def write_int(self, address: int, value: int, size: int) -> None:
        """Write a number to user memory. Raises BadAddressError."""
        self.space.write(address, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))

    def read_words(self, address: int, count: int) -> list[int]:
        """Return longs in user memory. Raises BadAddressError."""
        data, word = self.space.read(address, count * self.word), self.word
        return [int.from_bytes(data[i * word : (i + 1) * word], "little") for i in range(count)]

    def text(self, address: int) -> str:
        """Return a string in user memory. Raises BadAddressError."""
        return self.space.read_string(address).decode("utf-8", "surrogateescape")


Handler = Callable[..., int]

_INTS: Final = frozenset(
    {
        "fd", "dirfd", "oldfd", "newfd", "mode", "flags", "uid", "gid", "euid", "egid", "suid",
        "sgid", "signal", "pid", "tid", "tgid", "whence", "options", "nfds", "which", "who",
        "advice", "level", "clock", "request", "operation", "family", "kind", "protocol",
        "turn_on", "persona", "resource", "policy", "group", "status", "last",
    }
)  # fmt: skip
"""Arguments that are int or unsigned int in the kernel's prototypes."""


@dataclass(frozen=True)
class Service:
    """A system call of an ABI.

    Attributes:
        name: as in strace.
        arguments: their names; `path` is shown as a string, `fd` and the like as numbers.
        handler: called with the `Call` and as many numbers.
        note: what is special about it, for the documentation.
    """

    name: str
    arguments: tuple[str, ...]
    handler: Handler
    note: str

    @functools.cached_property
    def masks(self) -> tuple[int, ...]:
        """The bits of each argument that count on x86-64: the kernel takes an int's 32 only."""
        return tuple(MASK_32 if name in _INTS else MASK_64 for name in self.arguments)


SERVICES: Final[dict[tuple[int, int], Service]] = {}
"""By ABI (64 or 32) and number."""

QUIET: Final[dict[tuple[int, int], str]] = {
    (64, 326): "copy_file_range",
    (64, 334): "rseq",
    (64, 435): "clone3",
    (32, 377): "copy_file_range",
    (32, 386): "rseq",
    (32, 435): "clone3",
}
"""Calls that C libraries try and do without: not served, and not worth a message."""


def call(
    name: str, wide: int | None, narrow: int | None, arguments: str = "", note: str = ""
) -> Callable[[Handler], Handler]:
    """Enter a function in the table.

    Args:
        name: of the system call.
        wide: its number for x86-64, if it exists there.
        narrow: its number for i386, if it exists there.
        arguments: their names, separated by spaces.
        note: what is special about it.
    """

    def enter(handler: Handler) -> Handler:
        service = Service(name, tuple(arguments.split()), handler, note)
        for abi, number in ((64, wide), (32, narrow)):
            if number is not None:
                SERVICES[abi, number] = service
        return handler

    return enter
