"""The ioctl interface of /dev/kvm, as far as the KVM back end needs it.

Source: Documentation/virt/kvm/api.rst and include/uapi/linux/kvm.h of Linux (the layouts are ABI).
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import MachineError

if TYPE_CHECKING:
    from iopermit.machine.memory.physical import PhysicalMemory

_GET_API_VERSION, _CREATE_VM, _GET_VCPU_MMAP_SIZE = 0xAE00, 0xAE01, 0xAE04
_GET_SUPPORTED_CPUID, _CREATE_VCPU, _SET_USER_MEMORY_REGION = 0xC008AE05, 0xAE41, 0x4020AE46
_SET_TSS_ADDRESS, _SET_IDENTITY_MAP, _RUN = 0xAE47, 0x4008AE48, 0xAE80
_GET_REGS, _SET_REGS, _GET_SREGS, _SET_SREGS = 0x8090AE81, 0x4090AE82, 0x8138AE83, 0x4138AE84
_SET_MSRS, _GET_FPU, _SET_FPU, _SET_CPUID2 = 0x4008AE89, 0x81A0AE8C, 0x41A0AE8D, 0x4008AE90
_GET_EVENTS, _EVENTS_SIZE = 0x8040AE9F, 64
_VERSION: Final = 12
_TSS_ADDRESS: Final = 0x7FFB_D000
"""Three pages that KVM needs on Intel processors, outside our memory."""
_CPUID_ENTRIES: Final = 256

EXIT_IO, EXIT_HLT, EXIT_INTR = 2, 5, 10
FPU_SIZE: Final = 416
_IMMEDIATE_EXIT, _EXIT_REASON, _IO = 1, 8, 32


class KvmSegment(ctypes.Structure):
    """struct kvm_segment."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint32),
        ("selector", ctypes.c_uint16),
        ("type", ctypes.c_uint8),
        ("present", ctypes.c_uint8),
        ("dpl", ctypes.c_uint8),
        ("db", ctypes.c_uint8),
        ("s", ctypes.c_uint8),
        ("l", ctypes.c_uint8),
        ("g", ctypes.c_uint8),
        ("avl", ctypes.c_uint8),
        ("unusable", ctypes.c_uint8),
        ("padding", ctypes.c_uint8),
    )


class Table(ctypes.Structure):
    """struct kvm_dtable."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint16),
        ("padding", ctypes.c_uint16 * 3),
    )


class SpecialRegisters(ctypes.Structure):
    """struct kvm_sregs."""

    _fields_ = (
        *((name, KvmSegment) for name in ("cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt")),
        ("gdt", Table),
        ("idt", Table),
        *((name, ctypes.c_uint64) for name in ("cr0", "cr2", "cr3", "cr4", "cr8", "efer")),
        ("apic_base", ctypes.c_uint64),
        ("interrupt_bitmap", ctypes.c_uint64 * 4),
    )


GeneralRegisters = ctypes.c_uint64 * 18
"""struct kvm_regs: in the order of `iopermit.machine.cpu.interface`."""


class VirtualCpu:
    """One vCPU."""

    def __init__(self, descriptor: int, run_size: int) -> None:
        """Take over the file descriptor of a vCPU."""
        self._descriptor = descriptor
        self._run = mmap.mmap(descriptor, run_size)
        self.special = SpecialRegisters()
        self.get_special()

    def set_cpuid(self, entries: bytes) -> None:
        """Set what CPUID tells; `entries` is a struct kvm_cpuid2."""
        fcntl.ioctl(self._descriptor, _SET_CPUID2, bytearray(entries))

    def set_msrs(self, values: dict[int, int]) -> None:
        """Set model-specific registers."""
        data = struct.pack("<II", len(values), 0)
        data += b"".join(struct.pack("<IIQ", number, 0, value) for number, value in values.items())
        fcntl.ioctl(self._descriptor, _SET_MSRS, data)

    def get_general(self, registers: ctypes.Array[ctypes.c_uint64]) -> None:
        """Fill the general registers."""
        data = GeneralRegisters()
        fcntl.ioctl(self._descriptor, _GET_REGS, data)
        ctypes.memmove(registers, data, ctypes.sizeof(data))

    def set_general(self, registers: ctypes.Array[ctypes.c_uint64]) -> None:
        """Load the general registers."""
        data = GeneralRegisters()
        ctypes.memmove(data, registers, ctypes.sizeof(data))
        fcntl.ioctl(self._descriptor, _SET_REGS, data)

    def get_special(self) -> None:
        """Fill `special`."""
        fcntl.ioctl(self._descriptor, _GET_SREGS, self.special)

    def set_special(self) -> None:
        """Load `special`."""
        fcntl.ioctl(self._descriptor, _SET_SREGS, self.special)

    def get_fpu(self) -> bytes:
        """Return the FPU and vector registers."""
        data = bytearray(FPU_SIZE)
        fcntl.ioctl(self._descriptor, _GET_FPU, data)
        return bytes(data)

    def set_fpu(self, data: bytes) -> None:
        """Load the FPU and vector registers."""
        fcntl.ioctl(self._descriptor, _SET_FPU, data)

    def run(self) -> int:
        """Enter the guest; return the exit reason, `EXIT_INTR` after a signal."""
        try:
            fcntl.ioctl(self._descriptor, _RUN, 0)
        except InterruptedError:
            return EXIT_INTR
        reason: int = struct.unpack_from("<I", self._run, _EXIT_REASON)[0]
        return reason

    def pending_exception(self) -> tuple[int, int] | None:
        """Return vector and error code of an exception that was not delivered yet."""
        data = bytearray(_EVENTS_SIZE)
        fcntl.ioctl(self._descriptor, _GET_EVENTS, data)
        injected, vector, _, pending, error = struct.unpack_from("<4BI", data)
        return (vector, error) if injected or pending else None

    def complete(self) -> None:
        """Finish a port access without executing anything more."""
        self._run[_IMMEDIATE_EXIT] = 1
        try:
            self.run()
        finally:
            self._run[_IMMEDIATE_EXIT] = 0

    def port_access(self) -> tuple[bool, int, int, int]:
        """Return whether it is an OUT, the width, the port and how many accesses there are."""
        direction, size, port, count = struct.unpack_from("<BBHI", self._run, _IO)
        return bool(direction), size, port, count

    def port_data(self, size: int) -> memoryview:
        """Return the memory with what OUT writes, or for what IN reads."""
        start = struct.unpack_from("<Q", self._run, _IO + 8)[0]
        return memoryview(self._run)[start : start + size]

    def close(self) -> None:
        """Close the vCPU."""
        self._run.close()
        os.close(self._descriptor)


class VirtualMachine:
    """One VM whose physical memory is ours, from address 0 on."""

    def __init__(self, memory: PhysicalMemory, cpus: int) -> None:
        """Make it. Raises MachineError if /dev/kvm cannot be used."""
        try:
            self._kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            message = f"cannot open /dev/kvm: {error.strerror}; --cpu unicorn works everywhere"
            raise MachineError(message) from error
        version = fcntl.ioctl(self._kvm, _GET_API_VERSION, 0)
        if version != _VERSION:
            raise MachineError(f"/dev/kvm has version {version} of its interface, not {_VERSION}")
        self._vm = fcntl.ioctl(self._kvm, _CREATE_VM, 0)
        fcntl.ioctl(self._vm, _SET_TSS_ADDRESS, _TSS_ADDRESS)
        self._memory = memory
        self._set_memory(memory.size)
        run_size = fcntl.ioctl(self._kvm, _GET_VCPU_MMAP_SIZE, 0)
        self.cpus = [
            VirtualCpu(fcntl.ioctl(self._vm, _CREATE_VCPU, number), run_size)
            for number in range(cpus)
        ]

    def forget_translations(self) -> None:
        """Let KVM drop its shadow page tables, all of them.

        Without hardware support it derives them from the page tables of the virtual machine,
        and notices when the machine writes to those, but not when we do.
        """
        self._set_memory(0)
        self._set_memory(self._memory.size)

    def _set_memory(self, size: int) -> None:
        region = struct.pack("<IIQQQ", 0, 0, 0, size, self._memory.address)
        fcntl.ioctl(self._vm, _SET_USER_MEMORY_REGION, region)

    def supported_cpuid(self) -> list[list[int]]:
        """Return function, index, flags, EAX, EBX, ECX and EDX of each entry that KVM offers."""
        data = bytearray(8 + 40 * _CPUID_ENTRIES)
        struct.pack_into("<I", data, 0, _CPUID_ENTRIES)
        fcntl.ioctl(self._kvm, _GET_SUPPORTED_CPUID, data)
        count = struct.unpack_from("<I", data)[0]
        return [list(struct.unpack_from("<7I", data, 8 + 40 * i)) for i in range(count)]

    def close(self) -> None:
        """Close everything."""
        for cpu in self.cpus:
            cpu.close()
        os.close(self._vm)
        os.close(self._kvm)


def pack_cpuid(entries: list[list[int]]) -> bytes:
    """Return a struct kvm_cpuid2."""
    data = struct.pack("<II", len(entries), 0)
    return data + b"".join(struct.pack("<7I12x", *entry) for entry in entries)
