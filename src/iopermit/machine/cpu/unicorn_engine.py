"""Unicorn as a processor with paging and privilege levels, and the parts of its API we need.

Unicorn runs user code at CPL 3 on the machine's page tables: it starts at CPL 0 in long mode, is
given tables, and enters user mode by an IRETQ. Exceptions stop it with RIP at the instruction.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Final

import unicorn
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86

from iopermit.machine.cpu import interface as cpu_module
from iopermit.machine.cpu.code_scan import vector_of
from iopermit.machine.cpu.tables import KERNEL_DATA, USER_CODE, USER_CODE_32, USER_DATA
from iopermit.machine.memory.paging import PageTables
from iopermit.machine.memory.physical import PAGE

if TYPE_CHECKING:
    from iopermit.machine.cpu.tables import ProcessorTables
    from iopermit.machine.memory.physical import PhysicalMemory

_EFER: Final = 0xC000_0080
_EFER_VALUE: Final = 0xD01
"""SCE, LME, LMA, NXE."""
_CR0: Final = 0x8001_0033
"""PG, WP, NE, ET, MP, PE."""
_CR4: Final = 0x620
"""PAE, OSFXSR, OSXMMEXCPT."""
_SCRATCH: Final = 0x10100
"""Where the code lies that shows how exceptions change Unicorn's state."""
_LOAD, _STORE = bytes.fromhex("8b042500000000"), bytes.fromhex("89042500000000")
_DOUBLE_FAULT: Final = 8
_NO_ADDRESS: Final = 0x00FE_DCBA_9876_5432
"""Not canonical, so that no page fault leaves it in CR2."""

_REGISTERS: Final = (
    *(x86.UC_X86_REG_RAX, x86.UC_X86_REG_RBX, x86.UC_X86_REG_RCX, x86.UC_X86_REG_RDX),
    *(x86.UC_X86_REG_RSI, x86.UC_X86_REG_RDI, x86.UC_X86_REG_RSP, x86.UC_X86_REG_RBP),
    *(x86.UC_X86_REG_R8, x86.UC_X86_REG_R9, x86.UC_X86_REG_R10, x86.UC_X86_REG_R11),
    *(x86.UC_X86_REG_R12, x86.UC_X86_REG_R13, x86.UC_X86_REG_R14, x86.UC_X86_REG_R15),
    *(x86.UC_X86_REG_RIP, x86.UC_X86_REG_EFLAGS, x86.UC_X86_REG_FS_BASE, x86.UC_X86_REG_GS_BASE),
)
"""In the order of `iopermit.machine.cpu.interface`."""


class UnicornEngine:
    """One Unicorn instance over the machine's memory.

    Attributes:
        uc: the instance.
        interrupt: the vector that stopped it, or None.
    """

    def __init__(self, memory: PhysicalMemory, tables: ProcessorTables) -> None:
        """Bring the processor up to the point where it has executed user code.

        Raises:
            RuntimeError: this release of Unicorn keeps its state in a way that is not understood.
        """
        self._memory, self._tables = memory, tables
        self.uc = unicorn.Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_64)
        self._handle = self.uc._uch  # noqa: SLF001 - the binding has no batches without copies
        self._library: Any = unicorn.unicorn_py3.unicorn.uclib
        self.uc.mem_map_ptr(0, memory.size, uc_const.UC_PROT_ALL, memory.address)
        self.interrupt: int | None = None
        self.uc.hook_add(uc_const.UC_HOOK_INTR, self._on_interrupt)
        self.uc.hook_add(uc_const.UC_HOOK_INSN, self._on_syscall, aux1=x86.UC_X86_INS_SYSCALL)
        self.syscall = False
        self.uc.ctl_exits_enabled(True)  # noqa: FBT003 - Unicorn's signature
        self._prepare_batches()
        scratch = PageTables(memory)
        page = memory.allocate()
        scratch.map(_SCRATCH // PAGE, page, writable=True, executable=True)
        self._start_long_mode(scratch.root)
        self._templates = {bits: self._enter_user(bits) for bits in (64, 32)}
        self._error_code = self._latch(page)
        self._state = self.uc.context_save()
        scratch.release()
        memory.release(page)
        memory.stale_code = False
        self.uc.ctl_flush_tb()

    def template(self, bits: int) -> Any:  # noqa: ANN401 - a state of Unicorn
        """Return a copy of the state of a program that has not executed anything."""
        self.uc.context_restore(self._templates[bits])
        return self.uc.context_save()

    def read_registers(self, registers: cpu_module.RegisterFile) -> None:
        """Fill `registers`."""
        self._library.uc_reg_read_batch(self._handle, self._ids, self._pointers, self._count)
        ctypes.memmove(registers, self._values, ctypes.sizeof(self._values))

    def write_registers(self, registers: cpu_module.RegisterFile) -> None:
        """Load everything but RIP, which `start` takes."""
        ctypes.memmove(self._values, registers, ctypes.sizeof(self._values))
        library, count = self._library, self._count - 1
        library.uc_reg_write_batch(self._handle, self._write_ids, self._write_pointers, count)

    def set_tables(self, cpu: int, root: int) -> None:
        """Load GDTR and CR3, which forgets all translations."""
        self.uc.reg_write(x86.UC_X86_REG_GDTR, (0, self._tables.gdt(cpu), PAGE - 1, 0))
        self.uc.reg_write(x86.UC_X86_REG_CR3, root)
        self.uc.reg_write(x86.UC_X86_REG_CR2, _NO_ADDRESS)

    def start(self, rip: int, count: int = 0) -> int:
        """Execute from `rip` on until something stops it; return Unicorn's error number."""
        self.interrupt, self.syscall = None, False
        status: int = self._library.uc_emu_start(self._handle, rip, 0, 0, count)
        return status

    def fault(self, code: bytes, bits: int) -> cpu_module.CpuFault:
        """Return the exception that stopped the engine.

        Args:
            code: the bytes at RIP, as far as they can be read.
            bits: 64, or 32 for compatibility mode.
        """
        address = self.uc.reg_read(x86.UC_X86_REG_CR2)
        self.uc.context_update(self._state)
        error = _word(self._state, self._error_code)
        vector = self.interrupt
        if vector is None or vector == _DOUBLE_FAULT:
            vector = cpu_module.PAGE_FAULT if address != _NO_ADDRESS else vector_of(code, bits)
        self.uc.reg_write(x86.UC_X86_REG_CR2, _NO_ADDRESS)
        return cpu_module.CpuFault(vector, error, address)

    def _on_interrupt(self, uc: unicorn.Uc, number: int, _: object) -> None:
        self.interrupt = number
        uc.emu_stop()

    def _on_syscall(self, uc: unicorn.Uc, _: object) -> None:
        self.syscall = True
        uc.emu_stop()

    def _prepare_batches(self) -> None:
        self._values = cpu_module.new_registers()
        base, count = ctypes.addressof(self._values), len(_REGISTERS)
        self._ids = (ctypes.c_int * count)(*_REGISTERS)
        self._pointers = (ctypes.c_void_p * count)(*(base + 8 * i for i in range(count)))
        written = [i for i in range(count) if i != cpu_module.RIP]
        self._write_ids = (ctypes.c_int * (count - 1))(*(_REGISTERS[i] for i in written))
        self._write_pointers = (ctypes.c_void_p * (count - 1))(*(base + 8 * i for i in written))
        self._count = count

    def _start_long_mode(self, root: int) -> None:
        uc, idt = self.uc, self._tables.idt
        uc.reg_write(x86.UC_X86_REG_GDTR, (0, self._tables.gdt(0), PAGE - 1, 0))
        uc.reg_write(x86.UC_X86_REG_IDTR, (0, idt, PAGE - 1, 0))
        uc.reg_write(x86.UC_X86_REG_CR3, root)
        uc.reg_write(x86.UC_X86_REG_CR4, _CR4)
        uc.msr_write(_EFER, _EFER_VALUE)
        uc.reg_write(x86.UC_X86_REG_CR0, _CR0)
        self._privileged = uc.context_save()

    def _enter_user(self, bits: int) -> Any:  # noqa: ANN401 - a state of Unicorn
        """Return the state after IRETQ to the scratch page."""
        uc, wide = self.uc, bits == 64
        uc.context_restore(self._privileged)
        code = USER_CODE if wide else USER_CODE_32
        frame = (_SCRATCH, code, cpu_module.FLAGS_FIXED, 0, USER_DATA)
        uc.reg_write(x86.UC_X86_REG_SS, KERNEL_DATA)
        uc.reg_write(x86.UC_X86_REG_RSP, self._tables.write_frame(0, frame))
        uc.reg_write(x86.UC_X86_REG_RAX, 0 if wide else USER_DATA)
        uc.ctl_set_exits([_SCRATCH])
        self.start(self._tables.enter_user)
        uc.ctl_set_exits([])
        for register in _REGISTERS[:16]:
            uc.reg_write(register, 0)
        return uc.context_save()

    def _latch(self, page: int) -> int:
        """Raise exceptions until Unicorn does not count them; return where it keeps error codes.

        Unicorn takes the second exception for a double fault and the third for a triple fault,
        because only a delivery through an IDT, which it does not do, makes it forget the first.
        From then on it just stops at an exception, and `fault` finds out which one it was.
        """
        for _ in range(3):
            self._state_after(page, _LOAD)
        load, store = self._state_after(page, _LOAD), self._state_after(page, _STORE)
        found = [i for i, pair in enumerate(zip(load, store, strict=True)) if pair == (4, 6)]
        if len(found) != 1:
            raise RuntimeError(f"Unicorn {unicorn.__version__} has a state of unknown form")
        return 4 * found[0]

    def _state_after(self, page: int, code: bytes) -> tuple[int, ...]:
        start = _SCRATCH % PAGE
        self._memory.page(page)[start : start + len(code)] = code
        self.uc.ctl_flush_tb()
        self.uc.context_restore(self._templates[64])
        self.start(_SCRATCH)
        return _words(self.uc.context_save())


def _words(state: Any) -> tuple[int, ...]:  # noqa: ANN401 - a state of Unicorn
    count = state.size // 4
    return struct.unpack(f"<{count}i", ctypes.string_at(state.context, 4 * count))


def _word(state: Any, offset: int) -> int:  # noqa: ANN401 - a state of Unicorn
    return ctypes.c_int32.from_address(state.context.value + offset).value
