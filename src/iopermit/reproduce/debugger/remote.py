"""A client of the gdb remote protocol that reads and waits, and cannot write.

Sources: "Debugging with GDB", appendix "gdb Remote Serial Protocol"; QEMU's docs/system/gdb.rst and
gdbstub. It has no command that changes a register or memory: `_send()` refuses all but a few.
"""

from __future__ import annotations

import re
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

_ALLOWED: Final = ("?", "D", "H", "Z1", "Z2", "g", "m", "qRcmd", "vCont", "z1", "z2")
"""Packets: ask, detach, choose a CPU, set and remove breakpoints, read, go on."""
_BREAK: Final = b"\x03"
_REGISTERS: Final = struct.Struct("<17QII")
"""The first registers of x86-64 in QEMU's packet `g`: 16 general ones, RIP, EFLAGS, CS."""
_MOST_BYTES: Final = 2000
"""Bytes of memory in one packet; QEMU's packets have at most 4096 characters."""
_BASES: Final = struct.Struct("<3Q")
_BASES_AT: Final = 164
"""Where FS base, GS base and the other GS base follow (gdb-xml/i386-64bit.xml)."""
_NAMES: Final = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{number}" for number in range(8, 16)),
    *("rip", "eflags", "cs"),
)
_THREAD: Final = re.compile(r"thread:(?:p[0-9a-f]+\.)?([0-9a-f]+)")


class DebuggerError(Exception):
    """The virtual machine ended, was silent, or refused a request; ``str()`` says which."""


@dataclass(frozen=True)
class Registers:
    """The registers of a CPU."""

    values: dict[str, int]
    user_mode: bool
    kernel_base: int
    """Base of the CPU's own data: GS in the kernel, the other GS base in user mode."""

    def __getitem__(self, name: str) -> int:
        """Return a register by its name in lower case."""
        return self.values[name]


class RemoteDebugger:
    """The connection to the debugger's stub of a virtual machine."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        """Stop the machine.

        Args:
            connection: a connected socket; it stays the caller's.
            seconds: after which a silent machine is given up.
        """
        self._socket, self._buffer = connection, b""
        self.seconds = seconds
        self.cpu = 0
        """The CPU that stopped last."""
        connection.settimeout(seconds)

    def interrupt(self) -> None:
        """Stop the machine."""
        self._send_bytes(_BREAK)
        self._stopped()

    def go_on(self) -> int:
        """Let all CPUs run up to the next stop; return the CPU that stopped."""
        self._send("vCont;c")
        return self._stopped()

    def go_on_with(self, cpu: int) -> int:
        """Let one CPU run up to the next stop, the others stand still."""
        self._send(f"vCont;c:{cpu + 1:x}")
        return self._stopped()

    def step(self, cpu: int) -> None:
        """Execute one instruction of a CPU, without interrupts; the others stand still."""
        self._send(f"vCont;s:{cpu + 1:x}")
        self._stopped()

    def detach(self) -> None:
        """Let the machine run without a debugger."""
        self._acknowledged("D")

    def stop_at(self, address: int) -> None:
        """Set a breakpoint."""
        self._acknowledged(f"Z1,{address:x},1")

    def pass_by(self, address: int) -> None:
        """Remove a breakpoint."""
        self._acknowledged(f"z1,{address:x},1")

    def watch(self, address: int, size: int) -> None:
        """Stop behind every instruction that writes to memory."""
        self._acknowledged(f"Z2,{address:x},{size:x}")

    def watch_no_more(self, address: int, size: int) -> None:
        """Remove a watchpoint."""
        self._acknowledged(f"z2,{address:x},{size:x}")

    def registers(self, cpu: int | None = None) -> Registers:
        """Return the registers of a CPU, by default of the one that stopped."""
        self._acknowledged(f"Hg{(self.cpu if cpu is None else cpu) + 1:x}")
        content = bytes.fromhex(self._asked("g").replace("x", "0"))
        values = dict(zip(_NAMES, _REGISTERS.unpack_from(content), strict=True))
        _, current, other = _BASES.unpack_from(content, _BASES_AT)
        user = values["cs"] & 3 == 3  # noqa: PLR2004 - the requested privilege level of CS is CPL
        return Registers(values, user, other if user else current)

    def read(self, address: int, size: int) -> bytes:
        """Return memory, by the addresses of the CPU whose registers were read last."""
        content = bytearray()
        while len(content) < size:
            at, length = address + len(content), min(size - len(content), _MOST_BYTES)
            answer = self._asked(f"m{at:x},{length:x}")
            if answer.startswith("E"):
                raise DebuggerError(f"memory at {at:#x} cannot be read")
            content += bytes.fromhex(answer)
        return bytes(content)

    def read_number(self, address: int, size: int) -> int:
        """Return a little-endian number in memory."""
        return int.from_bytes(self.read(address, size), "little")

    def monitor(self, command: str) -> str:
        """Return what a command of QEMU's monitor prints."""
        if not command.startswith("info "):
            raise ValueError(f"{command!r} is no question")
        self._send(f"qRcmd,{command.encode().hex()}")
        printed = bytearray()
        while (answer := self._packet()) != "OK":
            if not answer.startswith("O"):
                raise DebuggerError(f"QEMU's monitor answered {answer!r}")
            printed += bytes.fromhex(answer[1:])
        return printed.decode(errors="replace").replace("\r", "")

    def _stopped(self) -> int:
        while True:
            answer = self._packet()
            if answer.startswith("T"):
                found = _THREAD.search(answer)
                self.cpu = int(found[1], 16) - 1 if found else 0
                return self.cpu
            if answer[:1] in "WX":
                raise DebuggerError("the virtual machine ended")

    def _acknowledged(self, packet: str) -> None:
        answer = self._asked(packet)
        if answer != "OK":
            raise DebuggerError(f"QEMU's debugger answered {answer!r} to {packet}")

    def _asked(self, packet: str) -> str:
        self._send(packet)
        answer = self._packet()
        while answer.startswith("T"):
            # The stop that was caused by attaching.
            answer = self._packet()
        return answer

    def _send(self, packet: str) -> None:
        if not packet.startswith(_ALLOWED):
            raise ValueError(f"{packet!r} might write registers or memory")
        content = packet.encode()
        self._send_bytes(b"$%b#%02x" % (content, sum(content) & 0xFF))

    def _send_bytes(self, content: bytes) -> None:
        try:
            self._socket.sendall(content)
        except OSError as error:
            raise DebuggerError("the virtual machine ended") from error

    def _packet(self) -> str:
        """Return the next packet of the stub, and acknowledge it."""
        end = time.monotonic() + self.seconds
        while True:
            found = re.search(rb"\$([^#]*)#..", self._buffer, re.DOTALL)
            if found:
                self._buffer = self._buffer[found.end() :]
                self._send_bytes(b"+")
                return found[1].decode(errors="replace")
            self._receive(end)

    def _receive(self, end: float) -> None:
        if time.monotonic() >= end:
            raise DebuggerError(f"the virtual machine did not stop within {self.seconds:.0f} s")
        try:
            content = self._socket.recv(1 << 16)
        except TimeoutError as error:
            raise DebuggerError(
                f"the virtual machine did not stop within {self.seconds:.0f} s"
            ) from error
        except OSError as error:
            raise DebuggerError("the virtual machine ended") from error
        if not content:
            raise DebuggerError("the virtual machine ended")
        self._buffer += content
