"""Where a transition enters the tree's code: the function and arguments of each event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.registers import INTERRUPTS, USER_FLAGS
from iopermit.kernel.execution.executor import COUNT_MASK, TransitionEnd
from iopermit.kernel.execution.functions import FUNCTIONS, WITHOUT_FUNCTION
from iopermit.kernel.state.contents import CPU, TASK, name
from iopermit.kernel.state.state import RETURN_TO_USER, TaskMode
from iopermit.system.events import hooks
from iopermit.system.events.operations import Effect, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.kernel.cpu.registers import Registers
    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.execution.transition import Transition
    from iopermit.system.events.hooks import Hook

VM_EXIT_LIMIT: Final = 0x67
"""What a VM exit leaves as limit of TR (SDM vol. 3, "Loading Host Segment and Descriptor-Table
Registers")."""
_USER_THREAD, _IO_WORKER = 0, 2
"""The shim's kinds of children."""


def run(transition: Transition) -> TransitionEnd:
    """Execute a transition, whose state is in the machine's memory."""
    meta, begins = transition.meta, transition.begins
    if begins is not None and Effect.LOWER_TSS_LIMIT in begins.at_once:
        meta = meta._replace(limit=VM_EXIT_LIMIT)
    transition.kernel.enter_cpu(transition.cpu, meta)
    if transition.switching:
        return _switch(transition)
    if begins is None:
        return _step(transition)
    first = next(calls(begins.body), None)
    if first is None or first.hook.name in WITHOUT_FUNCTION:
        # Nothing to execute: what happens concerns no code of the subsystem.
        return TransitionEnd()
    executor = transition.kernel.executor
    if first.first and executor.sleeps and not executor.preempt:
        # The task can be switched out, and goes on without having been in user mode.
        return TransitionEnd(registers_for(transition, first.hook), preemptible=True)
    arguments = _ARGUMENTS[first.hook.name](transition)
    return _call(transition, first.hook, arguments, transition.current_task()[0])


def registers_for(transition: Transition, hook: Hook) -> Registers:
    """Return the registers with which the current task goes on with what plays a hook's part."""
    kernel, function = transition.kernel, FUNCTIONS[hook.name]
    stack = kernel.memory.registers_of(transition.current_task()[0])
    arguments = _ARGUMENTS[hook.name](transition)
    flags = USER_FLAGS if function.interrupts else USER_FLAGS & ~INTERRUPTS
    return kernel.emulator.prepared(kernel.function(function.name), arguments, stack, flags)


def set_preempt_count(kernel: EmulatedKernel, cpu: int, count: int) -> None:
    """Set a CPU's `__preempt_count`, with nobody wanting to preempt."""
    address = kernel.memory.gs_base(cpu) + kernel.layout.preempt_count
    kernel.emulator.write(address, (count | (COUNT_MASK + 1)).to_bytes(4, "little"))


def _switch(transition: Transition) -> TransitionEnd:
    memory, cpu = transition.kernel.memory, transition.cpu
    idle = memory.idle(cpu)
    if transition.meta.switching:
        registers = memory.registers(transition.state.cpus[cpu], name(CPU, cpu))
        return transition.kernel.executor.resume(registers)
    set_preempt_count(transition.kernel, cpu, 1)
    tasks = (transition.slot, transition.following)
    arguments = [memory.task(idle if slot is None else slot) for slot in tasks]
    return _call(transition, hooks.SWITCH_TO, arguments, idle)


def _step(transition: Transition) -> TransitionEnd:
    kernel = transition.kernel
    slot, task = transition.current_task()
    mode = kernel.task_meta(task).mode
    if mode is TaskMode.EXITING:
        # The rest of do_exit() has no code of the subsystem.
        return TransitionEnd()
    if mode is TaskMode.RETURN:
        transition.operation = RETURN_TO_USER
        regs = kernel.memory.registers_of(slot)
        return _call(transition, hooks.RETURN_TO_USER, [regs], slot)
    return kernel.executor.resume(kernel.memory.registers(task, name(TASK, slot)))


def _call(transition: Transition, hook: Hook, arguments: list[int], slot: int) -> TransitionEnd:
    """Call what plays the part of a hook, on the stack of a task."""
    kernel, function = transition.kernel, FUNCTIONS[hook.name]
    stack, address = kernel.memory.registers_of(slot), kernel.function(function.name)
    return kernel.executor.call(address, arguments, stack, interrupts=function.interrupts)


# With which arguments.


def _ioperm(transition: Transition) -> list[int]:
    ports, turn_on = transition.values["ports"], transition.values["turn_on"]
    return _user_registers(transition, (ports.first, ports.count, int(turn_on)))


def _iopl(transition: Transition) -> list[int]:
    return _user_registers(transition, (transition.values["level"],))


def _user_registers(transition: Transition, arguments: tuple[int, ...]) -> list[int]:
    """Put the arguments of a system call where user code has them; return where that is."""
    kernel = transition.kernel
    regs = kernel.memory.registers_of(transition.current_task()[0])
    for field, value in zip(("di", "si", "dx"), arguments, strict=False):
        place = regs + kernel.layout[f"offsetof_pt_regs_{field}"]
        kernel.emulator.write(place, (value & (1 << 64) - 1).to_bytes(8, "little"))
    return [regs]


def _fork(transition: Transition) -> list[int]:
    kernel, memory, child = transition.kernel, transition.kernel.memory, _child(transition)
    # What the slot's last task left is never looked at.
    memory.emulator.write(memory.task(child), bytes(kernel.layout.task_size))
    memory.emulator.write(memory.stack(child), bytes(kernel.layout.stack_size))
    kind = _IO_WORKER if transition.values["kernel_thread"] else _USER_THREAD
    return [memory.task(child), memory.stack(child), 0, kind]


def _fork_failed(transition: Transition) -> list[int]:
    return [transition.kernel.memory.task(_child(transition))]


def _child(transition: Transition) -> int:
    assert transition.child is not None  # forks have a child
    return transition.child


def _nothing(_: Transition) -> list[int]:
    return []


_ARGUMENTS: Final[Mapping[str, Callable[[Transition], list[int]]]] = {
    hooks.IOPERM.name: _ioperm,
    hooks.IOPL.name: _iopl,
    hooks.FORK.name: _fork,
    hooks.FORK_FAILED.name: _fork_failed,
    hooks.EXIT.name: _nothing,
    hooks.EXECVE.name: _nothing,
    hooks.VM_EXIT.name: _nothing,
}
"""The arguments of what plays the part of each hook that a task calls, by the hook's name."""
