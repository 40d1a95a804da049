"""/dev/port, /dev/mem and /dev/nvram: what a task with CAP_SYS_RAWIO reaches past the bitmap.

Sources: drivers/char/mem.c (read_port, write_port, STRICT_DEVMEM) and drivers/char/nvram.c for what
programs see; mem(4).
"""

from __future__ import annotations

import errno
import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.machine.devices.firmware import SIZE, firmware
from iopermit.machine.errors import KernelError
from iopermit.machine.files.memory_tree import seek_in
from iopermit.machine.files.open_files import OpenFile
from iopermit.machine.files.special_files import DeviceNode
from iopermit.machine.memory.physical import PAGE
from iopermit.machine.tasks.process import UserTask
from iopermit.system.bitmap import PORTS

if TYPE_CHECKING:
    from iopermit.machine.file_status import FileStatus
    from iopermit.machine.files.nodes import FileNode, Node, Viewer
    from iopermit.machine.tasks.machine import Machine

_NVRAM_SIZE, _NVRAM_START = 114, 14
_INDEX, _DATA = 0x70, 0x71


@dataclass(eq=False)
class RawDevice(OpenFile):
    """A device with positions."""

    machine: Machine = field(kw_only=True)
    node: FileNode = field(kw_only=True)
    task: UserTask = field(kw_only=True)
    position: int = 0
    size: int = 0

    def read(self, size: int) -> bytes:
        """Read at the position."""
        data = self.pread(size, self.position)
        self.position += len(data)
        return data

    def write(self, data: bytes) -> int:
        """Write at the position."""
        done = self.pwrite(data, self.position)
        self.position += done
        return done

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        if whence == os.SEEK_END and self.size != _NVRAM_SIZE:
            raise KernelError(errno.EINVAL)
        self.position = seek_in(self.size, self.position, offset, whence)
        return self.position

    def status(self) -> FileStatus:
        """Return the status of the device."""
        return self.node.status()

    def reopen(self, flags: int) -> OpenFile:
        """Open the device once more."""
        return type(self)(
            self.path, flags, machine=self.machine, node=self.node, task=self.task, size=self.size
        )


class PortFile(RawDevice):
    """/dev/port: every byte is an access to the port of its offset, whatever the bitmap says."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read ports."""
        ports = range(offset, min(offset + size, PORTS))
        return bytes(self.machine.ports.read_past_bitmap(self.task, port) for port in ports)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Write to ports."""
        ports = range(offset, min(offset + len(data), PORTS))
        for port, value in zip(ports, data, strict=False):
            self.machine.ports.write_past_bitmap(self.task, port, value)
        return len(ports)


class MemoryBelowOneMegabyte:
    """The pages that /dev/mem shows."""

    size: Final = SIZE
    identity: Final = (0xC0000, SIZE)

    @functools.cached_property
    def _contents(self) -> bytes:
        return firmware()

    def read(self, offset: int, size: int = PAGE) -> bytes:
        """Return bytes."""
        return self._contents[offset : offset + size]


_PAGES: Final = MemoryBelowOneMegabyte()


class PhysicalDevice(RawDevice):
    """/dev/mem: the first megabyte, for reading; the rest is refused, as STRICT_DEVMEM does."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read memory."""
        if offset >= SIZE:
            raise KernelError(errno.EPERM)
        return _PAGES.read(offset, size)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Refuse: it is read-only memory, or that of somebody else."""
        raise KernelError(errno.EPERM)

    def mapped(self) -> MemoryBelowOneMegabyte:
        """Return the pages."""
        return _PAGES


class NvramDevice(RawDevice):
    """/dev/nvram: the bytes of the clock chip behind its registers."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read bytes of the chip."""
        bus = self.machine.ports.bus
        found = bytearray()
        for at in range(offset, min(offset + size, _NVRAM_SIZE)):
            bus.write(_INDEX, 1, _NVRAM_START + at)
            found.append(bus.read(_DATA, 1))
        return bytes(found)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Store bytes in the chip."""
        bus, places = self.machine.ports.bus, range(offset, min(offset + len(data), _NVRAM_SIZE))
        for at, value in zip(places, data, strict=False):
            bus.write(_INDEX, 1, _NVRAM_START + at)
            bus.write(_DATA, 1, value)
        return len(places)


def raw_devices(machine: Machine) -> dict[str, Node]:
    """Return the devices; opening one needs CAP_SYS_RAWIO but for nvram, which is root's."""

    def device(kind: type[RawDevice], minor: int, mode: int, size: int, major: int = 1) -> Node:
        def open_it(node: DeviceNode, viewer: Viewer, path: str, flags: int) -> OpenFile:
            assert isinstance(viewer, UserTask)
            if major == 1 and not viewer.credentials.raw_io:
                raise KernelError(errno.EPERM)
            return kind(path, flags, machine=machine, node=node, task=viewer, size=size)

        return DeviceNode(minor, mode, open_it, major=major)

    return {
        "mem": device(PhysicalDevice, 1, 0o640, SIZE),
        "port": device(PortFile, 4, 0o640, PORTS),
        "nvram": device(NvramDevice, 144, 0o600, _NVRAM_SIZE, major=10),
    }
