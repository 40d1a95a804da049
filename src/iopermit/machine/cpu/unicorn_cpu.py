"""The CPU back end on Unicorn, where the model of the processor checks port accesses."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from unicorn import unicorn_const as uc_const

from iopermit.machine.cpu import interface as model
from iopermit.machine.cpu.block_counter import BlockCounter
from iopermit.machine.cpu.code_scan import port_accesses
from iopermit.machine.cpu.interface import R11, RCX, RFLAGS, RIP, UserContext
from iopermit.machine.cpu.io_instruction import (
    MAX_LENGTH,
    IoInstruction,
    decode,
)
from iopermit.machine.cpu.tables import INT80
from iopermit.machine.cpu.unicorn_engine import UnicornEngine
from iopermit.machine.memory.paging import translate
from iopermit.machine.memory.physical import PAGE

if TYPE_CHECKING:
    import unicorn

    from iopermit.machine.cpu.tables import ProcessorTables
    from iopermit.machine.memory.physical import PhysicalMemory

_CALL_LENGTH: Final = 2
"""Bytes of SYSCALL and INT."""


class UnicornCpu:
    """Executes user code on Unicorn; all virtual CPUs share one engine."""

    name = "unicorn"

    def __init__(
        self, memory: PhysicalMemory, tables: ProcessorTables, permitted: model.PortCheck
    ) -> None:
        """Start the engine.

        Args:
            memory: the machine's.
            tables: GDT, IDT and TSS of each CPU.
            permitted: the check of port accesses, by the TSS in memory.

        Raises:
            RuntimeError: the release of Unicorn cannot be used.
        """
        self._memory, self._tables, self._permitted = memory, tables, permitted
        self._engine = UnicornEngine(memory, tables)
        self._counter: BlockCounter | None = None
        self._context: UserContext | None = None
        self._cpu, self._root = -1, 0
        self._exits: set[int] = set()
        self._used_exits: frozenset[int] = frozenset()
        self._new_blocks: list[tuple[int, int]] = []
        self._stopped = False
        self._pending: IoInstruction | None = None
        self._iopl = 0
        hook = uc_const.UC_HOOK_EDGE_GENERATED
        self._engine.uc.hook_add(hook, self._on_block)

    def new_context(self, bits: int) -> UserContext:
        """Return the state of a fresh program."""
        self._unload()
        context = UserContext(bits)
        context.registers[RFLAGS] = model.FLAGS_FIXED
        context.private = self._engine.template(bits)
        return context

    def copy_context(self, context: UserContext) -> UserContext:
        """Return a copy."""
        result = UserContext(context.bits, tls=list(context.tls))
        result.registers = type(context.registers)(*context.registers)
        result.private = self.save_extended(context)
        return result

    def save_extended(self, context: UserContext) -> object:
        """Return a copy of the engine's state, which includes the FPU."""
        if self._context is not context:
            # Without `_load`: the page tables of that time may be gone.
            self._unload()
            self._engine.uc.context_restore(context.private)
        return self._engine.uc.context_save()

    def restore_extended(self, context: UserContext, saved: object) -> None:
        """Bring a state back."""
        if self._context is context:
            self._context = None
        context.private = saved

    def run(self, cpu: int, context: UserContext, root: int, budget: int | None) -> model.CpuEvent:
        """Execute user code until an event."""
        if self._memory.stale_code:
            self._engine.uc.ctl_flush_tb()
            self._memory.stale_code = False
        self._load(context, cpu, root)
        if budget is not None and self._counter is None:
            self._start_counting()
        if self._counter is not None:
            self._counter.budget = budget
        registers = context.registers
        event = None
        while event is None:
            registers[RFLAGS] |= self._iopl
            self._engine.write_registers(registers)
            status = self._engine.start(registers[RIP])
            self._engine.read_registers(registers)
            registers[RFLAGS] &= ~model.FLAGS_IOPL
            event = self._event_after(context, status)
        return event

    def finish_in(self, cpu: int, context: UserContext, values: list[int]) -> None:
        """Write what a port returned to the accumulator or to memory."""
        instruction = self._pending
        if instruction is None:
            return
        self._pending = None
        registers, (value,) = context.registers, values
        if instruction.name == "in":
            instruction.set_accumulator(registers, value)
            registers[RIP] += instruction.length
            return
        address = instruction.memory_operand(registers)
        for i, octet in enumerate(value.to_bytes(instruction.width, "little")):
            physical = translate(self._memory, self._root, address + i, write=True)
            if physical is not None:
                self._memory.view[physical] = octet
        instruction.advance(registers)

    def set_task_register(self, cpu: int, limit: int) -> None:
        """Do nothing: the check knows the limit."""

    def set_iopl(self, cpu: int, level: int) -> None:
        """Let RFLAGS show the level; it decides about CLI and STI, the check about ports."""
        self._iopl = level << model.IOPL_SHIFT

    def flush(self) -> None:
        """Forget what was cached of page tables, before the next run."""
        self._root = -1

    def stop(self) -> None:
        """Make `run` return soon."""
        self._stopped = True
        self._engine.uc.emu_stop()

    def executed(self) -> int | None:
        """Return how many instructions the last `run` counted."""
        return None if self._counter is None else self._counter.executed

    def close(self) -> None:
        """Let go of the engine."""
        self._context = None

    def _load(self, context: UserContext, cpu: int, root: int) -> None:
        """Make a context the one in the engine, on a CPU and an address space."""
        if self._context is context and (cpu, root) == (self._cpu, self._root):
            return
        self._tables.write_tls(cpu, context.tls)
        if self._context is not context:
            self._unload()
            self._engine.uc.context_restore(context.private)
            self._context = context
        self._engine.set_tables(cpu, root)
        self._cpu, self._root = cpu, root
        self._use_exits()

    def _unload(self) -> None:
        if self._context is not None:
            self._engine.uc.context_update(self._context.private)
            self._context = None

    def _event_after(self, context: UserContext, status: int) -> model.CpuEvent | None:
        """Return the event that ended an execution; None to go on."""
        engine, registers = self._engine, context.registers
        if engine.syscall:
            registers[RCX], registers[R11] = registers[RIP], registers[RFLAGS]
            return model.Syscall(64)
        if engine.interrupt == INT80:
            return model.Syscall(32)
        if engine.interrupt is not None and engine.interrupt >= 0x20:
            registers[RIP] -= _CALL_LENGTH
            return model.CpuFault(model.GENERAL_PROTECTION, 8 * engine.interrupt + 2)
        if engine.interrupt in (model.BREAKPOINT, model.OVERFLOW):
            return model.CpuFault(engine.interrupt)
        if status == uc_const.UC_ERR_INSN_INVALID:
            return model.CpuFault(model.INVALID_OPCODE)
        return self._other_event(context, status)

    def _other_event(self, context: UserContext, status: int) -> model.CpuEvent | None:
        rip = context.registers[RIP]
        if self._new_blocks:
            self._add_exits()
            return model.Preempted() if self._take_stop() else None
        if rip in self._exits:
            return self._at_exit(context)
        if self._counter is not None and self._counter.exhausted:
            return model.Preempted()
        if self._take_stop():
            return model.Preempted()
        if status not in (uc_const.UC_ERR_OK, uc_const.UC_ERR_EXCEPTION):
            raise RuntimeError(f"Unicorn stopped at {rip:#x} with error {status}")
        return self._engine.fault(self._code(rip, MAX_LENGTH), context.bits)

    def _take_stop(self) -> bool:
        stopped, self._stopped = self._stopped, False
        return stopped

    # Port accesses.

    def _at_exit(self, context: UserContext) -> model.CpuEvent | None:
        """Check the port access at RIP and return what follows from it."""
        registers = context.registers
        # Unicorn looks at the byte before a block that is empty because it begins with an exit.
        code = self._code(registers[RIP], MAX_LENGTH)
        instruction = decode(code, context.bits)
        if instruction is None or not instruction.width:
            return self._step_over(context)
        if instruction.repeated and instruction.name in ("ins", "outs"):
            mask = (1 << instruction.address_bits) - 1
            if not registers[RCX] & mask:
                registers[RIP] += instruction.length
                return None
        port, width = instruction.port(registers), instruction.width
        if not self._permitted(self._cpu, port, width):
            return model.CpuFault(model.GENERAL_PROTECTION)
        if instruction.name == "in":
            self._pending = instruction
            return model.PortIn(port, width, 1)
        if instruction.name == "out":
            registers[RIP] += instruction.length
            return model.PortOut(port, width, (instruction.accumulator(registers),))
        return self._string_access(instruction, context, port)

    def _string_access(
        self, instruction: IoInstruction, context: UserContext, port: int
    ) -> model.CpuEvent:
        registers, width = context.registers, instruction.width
        reads = instruction.name == "ins"
        address = instruction.memory_operand(registers)
        octets = bytearray()
        for at in range(address, address + width):
            physical = translate(self._memory, self._root, at, write=reads)
            if physical is None:
                return model.CpuFault(model.PAGE_FAULT, 4 | 2 * reads, at)
            octets.append(self._memory.view[physical])
        if reads:
            self._pending = instruction
            return model.PortIn(port, width, 1)
        instruction.advance(registers)
        return model.PortOut(port, width, (int.from_bytes(octets, "little"),))

    def _step_over(self, context: UserContext) -> model.CpuEvent | None:
        """Execute one instruction at an address that is an exit because of other code there."""
        rip = context.registers[RIP]
        self._use_exits(rip)
        self._engine.uc.ctl_flush_tb()
        self._engine.write_registers(context.registers)
        status = self._engine.start(rip, count=1)
        self._engine.read_registers(context.registers)
        self._use_exits()
        self._engine.uc.ctl_flush_tb()
        self._new_blocks.clear()
        stopped = context.registers[RIP] != rip and self._engine.interrupt is None
        if stopped and not self._engine.syscall and status == uc_const.UC_ERR_OK:
            return None
        return self._event_after(context, status)

    # Translated code.

    def _on_block(
        self,
        uc: unicorn.Uc,
        block: Any,  # noqa: ANN401 - uc_tb
        _previous: object,
        _data: object,
    ) -> None:
        """Look at a block that was translated and is about to be executed."""
        address, size, context = block.pc, block.size, self._context
        if context is None:
            return
        if self._counter is not None:
            self._counter.add(address, size, block.icount)
        code = self._code(address, size)
        found = port_accesses(code, address, context.bits)
        # Not `_exits`: a page with a known exit may have been mapped since these were set.
        if found and not self._used_exits.issuperset(found):
            self._exits.update(found)
            self._new_blocks.append((address, size))
            uc.emu_stop()

    def _add_exits(self) -> None:
        """Let translations begin anew, with an exit before every port access that is known."""
        self._use_exits()
        self._new_blocks.clear()
        self._engine.uc.ctl_flush_tb()

    def _use_exits(self, without: int = -1) -> None:
        """Give Unicorn the exits that are mapped; it looks at each one whenever it stops.

        Args:
            without: an exit to leave out.
        """
        mapped = functools.partial(translate, self._memory, self._root, fetch=True)
        used = frozenset(x for x in self._exits if mapped(x) is not None) - {without}
        if used != self._used_exits:
            self._engine.uc.ctl_set_exits(sorted(used))
            self._used_exits = used

    def _code(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes of user memory."""
        read = functools.partial(translate, self._memory, self._root)
        start = read(address)
        if start is None:
            return b""
        room = PAGE - start % PAGE
        code = bytes(self._memory.view[start : start + min(size, room)])
        following = read(address + room) if size > room else None
        if following is not None:
            code += bytes(self._memory.view[following : following + size - room])
        return code

    def _start_counting(self) -> None:
        self._counter = BlockCounter(self._engine.uc)
        self._engine.uc.ctl_flush_tb()
