"""A stopped machine that is nothing but memory: what a debugger reads of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from iopermit.reproduce.debugger.remote import Registers
from iopermit.reproduce.image.layout import KernelLayout

LAYOUT = KernelLayout(
    flags=0,
    pid=16,
    name=24,
    io_bitmap=64,
    map_in_tss=120,
    all_ports=8400,
    arguments=(112, 104, 96),
    hot_current=None,
    hot_preempt_count=None,
)


@dataclass
class MemoryDebugger:
    """Answers from memory, and notes what is done with breakpoints and steps."""

    memory: dict[int, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    rip: int = 0

    def write(self, address: int, content: bytes) -> None:
        """Put bytes into the memory."""
        self.memory |= {address + n: byte for n, byte in enumerate(content)}

    def write_number(self, address: int, number: int, size: int = 8) -> None:
        """Put a number into the memory."""
        self.write(address, number.to_bytes(size, "little"))

    def read(self, address: int, size: int) -> bytes:
        """Return memory; what nobody wrote is zero."""
        return bytes(self.memory.get(address + n, 0) for n in range(size))

    def read_number(self, address: int, size: int) -> int:
        """Return a number in memory."""
        return int.from_bytes(self.read(address, size), "little")

    def task(self, address: int, name: str, *, flags: int = 0) -> None:
        """Put a task into the memory."""
        self.write(address + LAYOUT.flags, struct.pack("<I", flags))
        self.write(address + LAYOUT.name, name.encode().ljust(16, b"\0"))

    def stop_at(self, address: int) -> None:
        """Set a breakpoint."""
        self.done.append(f"+{address:x}")

    def pass_by(self, address: int) -> None:
        """Remove a breakpoint."""
        self.done.append(f"-{address:x}")

    def step(self, cpu: int) -> None:
        """Execute one instruction."""
        self.done.append(f"step {cpu}")

    def go_on(self) -> int:
        """Run up to the next stop."""
        self.done.append("go on")
        return 1

    def registers(self, cpu: int | None = None) -> Registers:
        """Return the registers."""
        return registers(rip=self.rip, cpu=cpu or 0)


def registers(*, cpu: int = 0, user_mode: bool = False, **values: int) -> Registers:
    """Return registers; the own data of CPU n begins at 0x10000 times n + 1."""
    return Registers({"eflags": 0, **values}, user_mode, 0x10000 * (cpu + 1))
