"""The CPU back end on the host's processor, which itself checks port accesses by the TSS.

User code runs at CPL 3 in a virtual machine. Every entry point of its kernel is a HLT, which
leaves the virtual machine, so that no code of ours but one instruction runs in it. Instructions
cannot be counted: a task is preempted by a timer of the host when it goes on for too long.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu import interface as model
from iopermit.machine.cpu.interface import R11, RCX, RFLAGS, RIP, RSP, UserContext
from iopermit.machine.cpu.kvm_api import (
    EXIT_HLT,
    EXIT_INTR,
    EXIT_IO,
    VirtualCpu,
    VirtualMachine,
    pack_cpuid,
)
from iopermit.machine.cpu.kvm_state import CPUID_MASKS, fresh_fpu, set_segment, user_segments
from iopermit.machine.cpu.kvm_timer import Timer
from iopermit.machine.cpu.tables import INT80, TASK_REGISTER
from iopermit.machine.errors import MachineError
from iopermit.machine.memory.paging import ADDRESS, translate
from iopermit.machine.memory.physical import PAGE

if TYPE_CHECKING:
    from iopermit.machine.cpu.tables import ProcessorTables
    from iopermit.machine.memory.physical import PhysicalMemory

_CR0: Final = 0x8001_0033
_CR4: Final = 0x620
_EFER: Final = 0xD01
_MSRS: Final = {
    "star": 0xC000_0081,
    "lstar": 0xC000_0082,
    "cstar": 0xC000_0083,
    "mask": 0xC000_0084,
}
_STAR: Final = 0x0023_0010 << 32
_SYSCALL_MASK: Final = 0x0004_7700
_WITH_ERROR: Final = frozenset({8, 10, 11, 12, 13, 14, 17, 21, 29, 30})
_CALL_LENGTH: Final = 2
_INT: Final = b"\xcd"
_TURN: Final = 0.01
"""Seconds after which a task that others wait for is preempted."""
_CACHE_BIT: Final = 0x8
"""A bit of CR3 (PWT) whose change makes KVM forget translations."""
_NESTED_PAGING: Final = (
    Path("/sys/module/kvm_intel/parameters/ept"),
    Path("/sys/module/kvm_amd/parameters/npt"),
)
_SEGMENTS: Final = ("cs", "ds", "es", "fs", "gs", "ss")


@dataclass
class _State:
    """What `Context.private` is here."""

    segments: dict[str, bytes]
    fpu: bytes = field(default_factory=fresh_fpu)
    fault: model.CpuFault | None = None
    """An exception that the next run begins with."""


class KvmCpu:
    """Executes user code in a virtual machine with one vCPU for each virtual CPU."""

    name = "kvm"

    def __init__(self, memory: PhysicalMemory, tables: ProcessorTables) -> None:
        """Make the virtual machine. Raises MachineError."""
        self._tables, self._memory = tables, memory
        try:
            self._machine = VirtualMachine(memory, tables.cpus)
            self._prepare()
        except OSError as error:
            raise MachineError(f"/dev/kvm cannot be used: {error.strerror}") from error
        self._loaded: list[UserContext | None] = [None] * tables.cpus
        self._limits = [0] * tables.cpus
        self._iopl = [0] * tables.cpus
        self._flushes = 0
        self._seen_flushes = [0] * tables.cpus
        self._renewed = 0
        self._shadow_paging = _has_shadow_paging()
        self._timer = Timer()

    def new_context(self, bits: int) -> UserContext:
        """Return the state of a fresh program."""
        context = UserContext(bits)
        context.registers[RFLAGS] = model.FLAGS_FIXED
        context.private = _State(user_segments(bits))
        return context

    def copy_context(self, context: UserContext) -> UserContext:
        """Return a copy."""
        result = UserContext(context.bits, tls=list(context.tls))
        result.registers = type(context.registers)(*context.registers)
        result.private = self.save_extended(context)
        return result

    def save_extended(self, context: UserContext) -> object:
        """Return a copy of segments, FPU and vector registers."""
        self._unload(context)
        return _State(dict(context.private.segments), context.private.fpu)

    def restore_extended(self, context: UserContext, saved: object) -> None:
        """Bring them back."""
        self._unload(context)
        assert isinstance(saved, _State)
        context.private = _State(dict(saved.segments), saved.fpu)

    def run(self, cpu: int, context: UserContext, root: int, budget: int | None) -> model.CpuEvent:
        """Execute user code until an event."""
        virtual = self._machine.cpus[cpu]
        fault: model.CpuFault | None = context.private.fault
        if fault is not None:
            context.private.fault = None
            return fault
        self._load(cpu, context, root)
        context.registers[RFLAGS] |= self._iopl[cpu] << model.IOPL_SHIFT
        virtual.set_general(context.registers)
        if budget is not None:
            self._timer.tick(_TURN)
        reason = self._enter(virtual)
        event = self._event(cpu, context, reason)
        if self._iopl[cpu] and not context.registers[RFLAGS] & model.FLAGS_IOPL:
            raise MachineError(
                "the KVM of this host lets user code have no IOPL, which this design needs; "
                "use --cpu unicorn"
            )
        context.registers[RFLAGS] &= ~model.FLAGS_IOPL
        return event

    def finish_in(self, cpu: int, context: UserContext, values: list[int]) -> None:
        """Hand over what ports returned."""
        virtual = self._machine.cpus[cpu]
        _, width, _, _ = virtual.port_access()
        data = b"".join(value.to_bytes(width, "little") for value in values)
        virtual.port_data(len(data))[:] = data
        self._complete(virtual, context)
        exception = virtual.pending_exception()
        if exception is not None:
            # INS could not write. The registers are loaded again before KVM would deliver this.
            virtual.get_special()
            context.private.fault = model.CpuFault(*exception, virtual.special.cr2)

    def set_task_register(self, cpu: int, limit: int) -> None:
        """Note the limit for the next entry."""
        self._limits[cpu] = limit

    def set_iopl(self, cpu: int, level: int) -> None:
        """Note the level for the next entry."""
        self._iopl[cpu] = level

    def flush(self) -> None:
        """Let every vCPU forget translations before it runs again."""
        self._flushes += 1

    def stop(self) -> None:
        """Make `run` return soon."""
        self._timer.interrupt()

    def executed(self) -> int | None:
        """Return None: the processor does not count for us."""
        return None

    def close(self) -> None:
        """Close the virtual machine."""
        self._timer.close()
        self._machine.close()

    def _prepare(self) -> None:
        """Set what never changes: CPUID, the entry points, control registers, IDT."""
        entries = self._machine.supported_cpuid()
        for entry in entries:
            masks = CPUID_MASKS.get(entry[0])
            if masks is not None:
                entry[3:] = [v & m & 0xFFFF_FFFF for v, m in zip(entry[3:], masks, strict=True)]
        cpuid, tables = pack_cpuid(entries), self._tables
        for number, cpu in enumerate(self._machine.cpus):
            cpu.set_cpuid(cpuid)
            special = cpu.special
            special.cr0, special.cr4, special.efer = _CR0, _CR4, _EFER
            special.idt.base, special.idt.limit = tables.idt, PAGE - 1
            special.gdt.base, special.gdt.limit = tables.gdt(number), PAGE - 1
            set_segment(special.tr, base=tables.tss(number), selector=TASK_REGISTER, type=11)
            special.tr.present, special.tr.unusable = 1, 0
            values = (_STAR, tables.syscall, tables.compat_syscall, _SYSCALL_MASK)
            self._msrs = dict(zip(_MSRS.values(), values, strict=True))

    def _load(self, cpu: int, context: UserContext, root: int) -> None:
        """Make a context the one of a vCPU."""
        virtual, special = self._machine.cpus[cpu], self._machine.cpus[cpu].special
        if self._loaded[cpu] is not context:
            self._unload(context)
            previous = self._loaded[cpu]
            if previous is not None:
                previous.private.fpu = virtual.get_fpu()
            virtual.set_fpu(context.private.fpu)
            self._loaded[cpu] = context
            self._tables.write_tls(cpu, context.tls)
        self._tables.write_tls(cpu, context.tls)
        for name in _SEGMENTS:
            ctypes.memmove(
                ctypes.addressof(getattr(special, name)), context.private.segments[name], 24
            )
        special.fs.base = context.registers[model.FS_BASE]
        special.gs.base = context.registers[model.GS_BASE]
        special.tr.limit = self._limits[cpu]
        cache_bit = special.cr3 & _CACHE_BIT
        if self._seen_flushes[cpu] != self._flushes:
            self._seen_flushes[cpu] = self._flushes
            cache_bit ^= _CACHE_BIT
            if self._shadow_paging and self._renewed != self._flushes:
                self._renewed = self._flushes
                self._machine.forget_translations()
        special.cr3 = root | cache_bit
        virtual.set_special()
        if self._msrs:
            for other in self._machine.cpus:
                other.set_msrs(self._msrs)
            self._msrs = {}

    def _unload(self, context: UserContext) -> None:
        """Save the FPU of a context if some vCPU has it."""
        for cpu, loaded in enumerate(self._loaded):
            if loaded is context:
                context.private.fpu = self._machine.cpus[cpu].get_fpu()
                self._loaded[cpu] = None

    def _enter(self, virtual: VirtualCpu) -> int:
        """Run until an exit that is not in the middle of an entry to the kernel."""
        while True:
            reason = virtual.run()
            if reason != EXIT_INTR:
                return reason
            virtual.get_special()
            # An exception that KVM has not delivered yet must not reach the next task.
            if virtual.special.cs.dpl and virtual.pending_exception() is None:
                return reason

    def _event(self, cpu: int, context: UserContext, reason: int) -> model.CpuEvent:
        virtual, registers = self._machine.cpus[cpu], context.registers
        virtual.get_general(registers)
        virtual.get_special()
        self._keep_segments(virtual, context)
        if reason == EXIT_INTR:
            return model.Preempted()
        if reason == EXIT_IO:
            return self._port_access(virtual, context)
        if reason != EXIT_HLT:
            raise MachineError(f"KVM stopped at {registers[RIP]:#x} for reason {reason}")
        return self._kernel_entry(cpu, context)

    def _kernel_entry(self, cpu: int, context: UserContext) -> model.CpuEvent:
        """Return what brought the vCPU to the HLT of an entry point."""
        registers, tables = context.registers, self._tables
        if registers[RIP] in (tables.syscall + 1, tables.compat_syscall + 1):
            wide = registers[RIP] == tables.syscall + 1
            registers[RIP], registers[RFLAGS] = registers[RCX], registers[R11]
            if wide:
                return model.Syscall(64)
            registers[RIP] -= _CALL_LENGTH
            return model.CpuFault(model.INVALID_OPCODE)
        vector = tables.vector(registers[RIP])
        if vector is None:
            raise MachineError(f"KVM halted at {registers[RIP]:#x}")
        error = 0
        if vector in _WITH_ERROR:
            error, rip, _, flags, stack, _ = tables.frame(cpu, 6)
        else:
            rip, _, flags, stack, _ = tables.frame(cpu, 5)
        registers[RIP], registers[RFLAGS], registers[RSP] = rip, flags, stack
        if vector == INT80:
            return model.Syscall(32)
        if vector == model.PAGE_FAULT and rip == tables.syscall:
            # KVM without hardware support (PVM) enters by SYSCALL without leaving CPL 3.
            registers[RIP], registers[RFLAGS] = registers[RCX], registers[R11]
            return model.Syscall(64)
        if vector == model.INVALID_OPCODE and self._code(cpu, rip)[:1] == _INT:
            # The same KVM lets INT raise #UD.
            return self._software_interrupt(cpu, context)
        return model.CpuFault(vector, error, self._machine.cpus[cpu].special.cr2)

    def _software_interrupt(self, cpu: int, context: UserContext) -> model.CpuEvent:
        """Do what INT does at CPL 3, where only INT 0x80 is allowed."""
        number = self._code(cpu, context.registers[RIP])[1]
        if number != INT80:
            return model.CpuFault(model.GENERAL_PROTECTION, 8 * number + 2)
        context.registers[RIP] += _CALL_LENGTH
        return model.Syscall(32)

    def _code(self, cpu: int, address: int) -> bytes:
        """Return two bytes of code of the current task."""
        root = self._machine.cpus[cpu].special.cr3 & ADDRESS
        found = (translate(self._memory, root, address + i) for i in range(_CALL_LENGTH))
        return bytes(self._memory.view[at] for at in found if at is not None)

    def _port_access(self, virtual: VirtualCpu, context: UserContext) -> model.CpuEvent:
        is_out, width, port, count = virtual.port_access()
        if not is_out:
            return model.PortIn(port, width, count)
        data = bytes(virtual.port_data(width * count))
        values = tuple(
            int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)
        )
        self._complete(virtual, context)
        return model.PortOut(port, width, values)

    def _complete(self, virtual: VirtualCpu, context: UserContext) -> None:
        virtual.complete()
        virtual.get_general(context.registers)
        context.registers[RFLAGS] &= ~model.FLAGS_IOPL

    @staticmethod
    def _keep_segments(virtual: VirtualCpu, context: UserContext) -> None:
        """Note the segments that user code may have loaded; CS and SS if they are its own."""
        special = virtual.special
        names = _SEGMENTS if special.cs.dpl else ("ds", "es", "fs", "gs")
        for name in names:
            context.private.segments[name] = bytes(getattr(special, name))
        context.registers[model.FS_BASE] = special.fs.base
        context.registers[model.GS_BASE] = special.gs.base


def _has_shadow_paging() -> bool:
    """Return whether KVM keeps page tables of its own, which do not follow changes of ours.

    It does where the processor has no nested paging. It notices what the guest changes in its
    page tables, but not what we change, unless the pages behind them change too.
    """
    for file in _NESTED_PAGING:
        try:
            return file.read_text(encoding="ascii").strip() not in ("Y", "1")
        except OSError:
            continue
    return True
