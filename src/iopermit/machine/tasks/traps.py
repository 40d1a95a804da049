"""What the kernel does when the processor raises an exception in user code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import (
    BREAKPOINT,
    DEBUG,
    DIVIDE_ERROR,
    GENERAL_PROTECTION,
    INVALID_OPCODE,
    PAGE_FAULT,
    RIP,
    SIMD_ERROR,
    X87_ERROR,
    CpuFault,
)
from iopermit.machine.cpu.io_instruction import decode
from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.memory.physical import OutOfMemoryError
from iopermit.machine.tasks import signals
from iopermit.machine.tasks.process import SignalInfo, post
from iopermit.system.execution import Mode

if TYPE_CHECKING:
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserTask

SIGILL, SIGTRAP, SIGFPE, SIGKILL, SIGSEGV = 4, 5, 8, 9, 11
SI_KERNEL: Final = 0x80
SEGV_MAPERR, SEGV_ACCERR = 1, 2
_SIGNALS: Final = {
    DIVIDE_ERROR: (SIGFPE, 1),
    DEBUG: (SIGTRAP, 1),
    BREAKPOINT: (SIGTRAP, SI_KERNEL),
    INVALID_OPCODE: (SIGILL, 2),
    X87_ERROR: (SIGFPE, 7),
    SIMD_ERROR: (SIGFPE, 7),
}
"""Signal and si_code by vector (arch/x86/kernel/traps.c)."""
_CANONICAL: Final = 1 << 47
_HIGHEST_IOPL: Final = 3


def handle_fault(machine: Machine, task: UserTask, fault: CpuFault) -> None:
    """Provide a page, let the design handle a #GP, or send the signal."""
    if fault.vector == PAGE_FAULT:
        _page_fault(machine, task, fault)
    elif fault.vector == GENERAL_PROTECTION:
        if not _general_protection(machine, task):
            _send(task, fault, SIGSEGV, SI_KERNEL, 0)
    else:
        number, code = _SIGNALS.get(fault.vector, (SIGSEGV, SI_KERNEL))
        at = task.context.registers[RIP] if number in (SIGFPE, SIGILL) else 0
        _send(task, fault, number, code, at)
    if machine.system.threads[task.slot].mode is Mode.USER and task.tid in machine.tasks:
        machine.runner.other_call(task.slot)


def _page_fault(machine: Machine, task: UserTask, fault: CpuFault) -> None:
    try:
        task.process.space.resolve(fault.address, fault.error)
    except BadAddressError as error:
        code = SEGV_ACCERR if error.mapped else SEGV_MAPERR
        _send(task, fault, SIGSEGV, code, fault.address)
    except OutOfMemoryError:
        machine.say(f"out of memory: process {task.process.pid} is killed")
        post(task, SignalInfo(SIGKILL))


def _general_protection(machine: Machine, task: UserTask) -> bool:
    """Return whether the program goes on, with or without the instruction."""
    if machine.runner.general_protection(task.slot):
        return True
    registers = task.context.registers
    try:
        code = task.process.space.read(registers[RIP], 1)
    except BadAddressError:
        return False
    instruction = decode(code, task.bits)
    if instruction is None or instruction.width:
        return False
    system = machine.system
    record = system.threads[task.slot].record
    skips = getattr(system.design, "iopl_skips_cli_sti", False)
    if skips and getattr(record, "iopl_emul", 0) == _HIGHEST_IOPL:
        registers[RIP] += instruction.length
        return True
    return False


def _send(task: UserTask, fault: CpuFault, number: int, code: int, address: int) -> None:
    cr2 = fault.address if fault.vector == PAGE_FAULT else 0
    trap = (fault.vector, fault.error, cr2)
    signals.force(task, SignalInfo(number, code, (address,), trap))
