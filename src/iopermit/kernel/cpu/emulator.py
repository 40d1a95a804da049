"""An emulated CPU with the image in its memory: runs kernel code up to the next stop.

Unicorn executes the instructions at CPL 0. LTR, SGDT, CLI, STI, PUSHF and POPF are the
emulator's own; so the cached limit of TR is what the tree's own descriptor says.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unicorn import Uc, UcError
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from iopermit.kernel.cpu.registers import (
    ARGUMENTS,
    NAMES,
    NOTHING_READ,
    RFLAGS,
    RIP,
    RSP,
    Registers,
)
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.kernel.image.linker import Image

_REGISTERS: Final = tuple(getattr(x86, f"UC_X86_REG_{name.upper()}") for name in NAMES)
RETURN: Final = at.HOST
"""Where the kernel functions that the driver calls return to."""

_ATTRIBUTES: Final = 0x00F0_FF00
"""Type, DPL, P, AVL and G in the second half of a segment descriptor."""


class FaultKind(enum.Enum):
    """What stopped the emulated CPU."""

    MEMORY = enum.auto()
    UNDEFINED = enum.auto()
    """UD2 and other invalid instructions."""
    EXCEPTION = enum.auto()


@dataclass(frozen=True)
class Fault:
    """Why the emulated CPU could not go on."""

    kind: FaultKind
    instruction: int
    address: int = 0
    access: str = ""
    """read, write or fetch, for memory."""


class Emulator:
    """One emulated CPU. Which of the kernel's CPUs it is, is decided before each run."""

    def __init__(self, image: Image) -> None:
        """Map the image and the host's functions."""
        self.image = image
        self.uc = Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
        self._stopped = False
        self._fault: Fault | None = None
        length = at.align(max(1, len(image.code)))
        self.uc.mem_map(at.IMAGE, length, uc.UC_PROT_READ | uc.UC_PROT_EXEC)
        self.uc.mem_write(at.IMAGE, image.code)
        self.data_size = at.align(max(1, len(image.data)))
        self.uc.mem_map(image.data_start, self.data_size, uc.UC_PROT_READ | uc.UC_PROT_WRITE)
        self.uc.mem_write(image.data_start, image.data)
        host = at.align((len(image.host) + 2) * at.HOST_STRIDE)
        self.uc.mem_map(at.HOST, host, uc.UC_PROT_READ | uc.UC_PROT_EXEC)
        self.uc.mem_write(at.HOST, b"\xc3" * host)
        self._host_end = at.HOST + host - 1
        self.uc.hook_add(uc.UC_HOOK_MEM_INVALID, self._on_invalid_access, None, 1, 0)

    def map(self, address: int, size: int) -> None:
        """Give memory to an address."""
        self.uc.mem_map(address, at.align(size), uc.UC_PROT_READ | uc.UC_PROT_WRITE)

    def protect(self, address: int, size: int, *, usable: bool) -> None:
        """Make memory usable, or make every access to it a fault."""
        usage = uc.UC_PROT_READ | uc.UC_PROT_WRITE if usable else uc.UC_PROT_NONE
        self.uc.mem_protect(address, at.align(size), usage)

    def is_mapped(self, address: int, size: int) -> bool:
        """Return whether there is memory."""
        last = address + max(1, size) - 1
        return any(
            start <= address and last <= end and usage & uc.UC_PROT_READ
            for start, end, usage in self.uc.mem_regions()
        )

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory."""
        return bytes(self.uc.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Change bytes of memory."""
        self.uc.mem_write(address, data)

    def on_host_call(self, callback: Callable[[str], None]) -> None:
        """Let `callback` execute the host's functions; it gets their names."""
        names = self.image.host

        def called(_: Uc, address: int, __: int, ___: object) -> None:
            if not self._stopped and address in names:
                callback(names[address])

        self.uc.hook_add(uc.UC_HOOK_CODE, called, None, at.HOST + 1, self._host_end)

    def on_access(
        self,
        callback: Callable[[bool, int, int, int], None],
        ranges: Iterable[tuple[int, int]],
        *,
        reads: bool = True,
        writes: bool = True,
    ) -> None:
        """Call `callback(write, address, size, value)` before each access to one of the ranges."""

        def accessed(_: Uc, kind: int, address: int, size: int, value: int, __: object) -> None:
            if not self._stopped:
                callback(kind == uc.UC_MEM_WRITE, address, size, value)

        kinds = uc.UC_HOOK_MEM_READ * reads | uc.UC_HOOK_MEM_WRITE * writes
        for start, end in ranges:
            if start < end:
                self.uc.hook_add(kinds, accessed, None, start, end - 1)

    def on_new_block(self, callback: Callable[[int, int], None]) -> None:
        """Call `callback(address, size)` when a basic block is executed for the first time."""

        def generated(_: Uc, block: object, __: object, ___: object) -> None:
            callback(block.pc, block.size)  # type: ignore[attr-defined]  # uc_tb

        self.uc.hook_add(uc.UC_HOOK_EDGE_GENERATED, generated)

    def on_instruction(self, callback: Callable[[int, int], None]) -> None:
        """Call `callback(address, size)` before each instruction of the image."""

        def stepped(_: Uc, address: int, size: int, __: object) -> None:
            if not self._stopped:
                callback(address, size)

        end = at.IMAGE + len(self.image.code) - 1
        self.uc.hook_add(uc.UC_HOOK_CODE, stepped, None, at.IMAGE, end)

    def on_address(self, callback: Callable[[], None], addresses: Iterable[int]) -> None:
        """Call `callback` before the instructions at some addresses."""

        def reached(_: Uc, __: int, ___: int, ____: object) -> None:
            if not self._stopped:
                callback()

        for address in addresses:
            self.uc.hook_add(uc.UC_HOOK_CODE, reached, None, address, address)
        self.uc.ctl_flush_tb()

    def registers(self) -> Registers:
        """Return the registers of the running context."""
        return (*self.uc.reg_read_batch(_REGISTERS), *NOTHING_READ)

    def register(self, index: int) -> int:
        """Return one register, by its index in `registers.NAMES`."""
        return int(self.uc.reg_read(_REGISTERS[index]))

    def set_result(self, value: int) -> None:
        """Set what a host function returns."""
        self.uc.reg_write(x86.UC_X86_REG_RAX, value & 0xFFFF_FFFF_FFFF_FFFF)

    def arguments(self) -> list[int]:
        """Return the six arguments of the function that is being called."""
        return [self.register(index) for index in ARGUMENTS]

    def enter_cpu(self, gs_base: int, gdt: tuple[int, int], tr: tuple[int, int, int, int]) -> None:
        """Become one of the kernel's CPUs.

        Args:
            gs_base: base of its per-CPU area.
            gdt: address and limit of its GDT.
            tr: selector, base, limit and attributes that its task register caches.
        """
        self.uc.reg_write(x86.UC_X86_REG_GS_BASE, gs_base)
        self.uc.reg_write(x86.UC_X86_REG_GDTR, (0, gdt[0], gdt[1], 0))
        self.uc.reg_write(x86.UC_X86_REG_TR, tr)

    def task_register(self) -> tuple[int, int, int, int]:
        """Return selector, base, limit and attributes in the task register."""
        selector, base, limit, flags = self.uc.reg_read(x86.UC_X86_REG_TR)
        # Without the pieces of the base that the descriptor's second half also has.
        return selector, base, limit, flags & _ATTRIBUTES

    def stop(self) -> None:
        """End the run before the present instruction has any effect that is looked at."""
        self._stopped = True
        self.uc.emu_stop()

    def prepared(
        self, function: int, arguments: Iterable[int], stack: int, flags: int
    ) -> Registers:
        """Return the registers of a context that is about to execute a function of the image."""
        values = [0] * len(_REGISTERS)
        for index, value in zip(ARGUMENTS, arguments, strict=False):
            values[index] = value
        # The ABI wants RSP + 8 to be a multiple of 16 at the entry of a function.
        aligned = (stack & ~15) - 8
        # What was left between the two would become a part of the state: the address from which
        # a child begins, for instance, which copy_thread() puts there.
        gap = stack - aligned - 8
        self.write(aligned, RETURN.to_bytes(8, "little") + bytes(gap))
        values[RIP], values[RFLAGS], values[RSP] = function, flags, aligned
        return (*values, *NOTHING_READ)

    def resume(self, registers: Registers) -> Fault | None:
        """Go on with a context until it returns or `stop` is called."""
        self._stopped, self._fault = False, None
        self.uc.reg_write_batch(list(zip(_REGISTERS, registers[: len(NAMES)], strict=True)))
        try:
            self.uc.emu_start(registers[RIP], RETURN)
        except UcError as error:
            if not self._stopped:
                return self._fault or self._fault_of(error)
        return None

    def _on_invalid_access(
        self, _: Uc, kind: int, address: int, __: int, ___: int, ____: object
    ) -> bool:
        if not self._stopped and self._fault is None:
            access = {
                uc.UC_MEM_READ_UNMAPPED: "read",
                uc.UC_MEM_READ_PROT: "read",
                uc.UC_MEM_WRITE_UNMAPPED: "write",
                uc.UC_MEM_WRITE_PROT: "write",
            }.get(kind, "fetch")
            self._fault = Fault(FaultKind.MEMORY, self.register(RIP), address, access)
        return False

    def _fault_of(self, error: UcError) -> Fault:
        undefined = error.errno == uc.UC_ERR_INSN_INVALID
        kind = FaultKind.UNDEFINED if undefined else FaultKind.EXCEPTION
        return Fault(kind, self.register(RIP))
