"""Serves system calls: finds the function, calls it, and turns its end into a result."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from iopermit.machine.clock import KERNEL_ENTRY
from iopermit.machine.cpu.interface import (
    MASK_32,
    R8,
    R9,
    R10,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RegisterFile,
)
from iopermit.machine.errors import Blocked, KernelError, MachineError
from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.memory.physical import OutOfMemoryError
from iopermit.machine.syscalls import QUIET, SERVICES, SystemCall
from iopermit.machine.tasks.kernel_entry import enter, finish_call
from iopermit.machine.tasks.process import PendingCall, TaskState
from iopermit.system.crash import HeapExhaustedError, KernelCrash

if TYPE_CHECKING:
    from iopermit.machine.syscalls import Service
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserTask

_ARGUMENTS: Final = {64: (RDI, RSI, RDX, R10, R8, R9), 32: (RBX, RCX, RDX, RSI, RDI, RBP)}


class Dispatcher:
    """The system call entry of a machine."""

    def __init__(self, machine: Machine) -> None:
        """Serve the tasks of `machine`."""
        self._machine = machine
        self._named: set[tuple[int, int]] = set()

    def serve(self, task: UserTask, abi: int) -> None:
        """Serve the system call that a task made, or makes again after it had to wait."""
        machine, registers = self._machine, task.context.registers
        number = registers[RAX] & MASK_32 if task.call is None else task.call.number
        service = SERVICES.get((abi, number))
        if service is None:
            self._not_served(task, abi, number)
            return
        arguments = _arguments(registers, abi, service)
        if task.call is None:
            machine.calls += 1
            machine.clock.advance(KERNEL_ENTRY)
            machine.strace.enter(task, service.name, service.arguments, arguments)
        try:
            result = _result(service, SystemCall(machine, task, abi), arguments)
        except Blocked as wait:
            task.call, task.wait = PendingCall(abi, number, service.name), wait
            task.state = TaskState.BLOCKED
            enter(machine, task)
            return
        finish_call(machine, task, result)

    def _not_served(self, task: UserTask, abi: int, number: int) -> None:
        if (abi, number) not in self._named and (abi, number) not in QUIET:
            self._named.add((abi, number))
            kind = "" if abi == 64 else "i386 "
            self._machine.say(f"{kind}system call {number} is not served (ENOSYS)")
        finish_call(self._machine, task, -errno.ENOSYS)


def _arguments(registers: RegisterFile, abi: int, service: Service) -> list[int]:
    indices = _ARGUMENTS[abi]
    if abi == 64:
        return [registers[i] & mask for i, mask in zip(indices, service.masks, strict=False)]
    return [registers[i] & MASK_32 for i in indices[: len(service.arguments)]]


def _result(service: Service, call: SystemCall, arguments: list[int]) -> int:
    """Return what a system call returns, or minus the number of its error. Raises Blocked."""
    try:
        return service.handler(call, *arguments)
    except KernelError as error:
        return -error.errno
    except BadAddressError:
        return -errno.EFAULT
    except OutOfMemoryError:
        return -errno.ENOMEM
    except MemoryError:
        return -errno.ENOMEM
    except OSError as error:
        return -(error.errno or errno.EIO)
    except (Blocked, KernelCrash, HeapExhaustedError, MachineError):
        raise
    except Exception as error:
        # The last resort: the run ends, and this is what its report says.
        numbers = ", ".join(f"{number:#x}" for number in arguments)
        error.add_note(f"in the system call {service.name}({numbers}) of the {call.abi}-bit ABI")
        raise
