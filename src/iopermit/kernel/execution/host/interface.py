"""What host functions can do to the emulated machine, and what a host function is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from iopermit.kernel.cpu.crashes import CrashKind


class HostInterface(Protocol):
    """What host functions can do to the emulated machine."""

    def allocate(self, size: int) -> int:
        """Return the address of a heap object, 0 if the allocation fails in this schedule."""

    def free(self, address: int) -> None:
        """Free a heap object; a double free or a wild pointer is a crash of the kernel."""

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory."""

    def write(self, address: int, data: bytes) -> None:
        """Change bytes of memory."""

    def crash(self, kind: CrashKind, message: str) -> None:
        """End the run: the kernel would crash, or has noticed that its state is broken."""

    def cpu_entry_area(self, cpu: int) -> int:
        """Return where `struct cpu_entry_area` would begin for its TSS to be the CPU's own."""

    @property
    def locked_down(self) -> bool:
        """Whether the kernel is locked down."""

    @property
    def privileged(self) -> bool:
        """Whether the current task has CAP_SYS_RAWIO."""


Implementation = Callable[[HostInterface, Sequence[int]], int]


def fill(host: HostInterface, address: int, size: int, value: int) -> int:
    """Make bytes of memory, if there are any, all the same; return where they are."""
    if address:
        host.write(address, bytes([value]) * size)
    return address
