"""Where a transition enters the tree's code: the function and arguments of each event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.executor import COUNT_MASK, Ending
from iopermit.kernel.state.contents import CPU, TASK, name
from iopermit.kernel.state.state import Operation, TaskMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.execution.transition import Transition

VM_EXIT_LIMIT: Final = 0x67
"""What a VM exit leaves as limit of TR (SDM vol. 3, "Loading Host Segment and Descriptor-Table
Registers")."""
_USER_THREAD, _IO_WORKER = 0, 2
"""The shim's kinds of children."""


def run(transition: Transition) -> Ending:
    """Execute a transition, whose state is in the machine's memory."""
    event = transition.action.event
    meta = transition.meta
    if event == "vm-exit":
        meta = meta._replace(limit=VM_EXIT_LIMIT)
    transition.kernel.enter_cpu(transition.cpu, meta)
    if transition.switching:
        return _switch(transition)
    if event == "step":
        return _step(transition)
    return _EVENTS[event](transition)


def set_preempt_count(kernel: EmulatedKernel, cpu: int, count: int) -> None:
    """Set a CPU's `__preempt_count`, with nobody wanting to preempt."""
    address = kernel.memory.gs_base(cpu) + kernel.layout.preempt_count
    kernel.emulator.write(address, (count | (COUNT_MASK + 1)).to_bytes(4, "little"))


def _switch(transition: Transition) -> Ending:
    memory, cpu = transition.kernel.memory, transition.cpu
    idle = memory.idle(cpu)
    if transition.meta.switching:
        registers = memory.registers(transition.state.cpus[cpu], name(CPU, cpu))
        return transition.kernel.executor.resume(registers)
    set_preempt_count(transition.kernel, cpu, 1)
    tasks = (transition.slot, transition.following)
    arguments = [memory.task(idle if slot is None else slot) for slot in tasks]
    return _call(transition, "iopermit_switch_to", arguments, slot=idle, interrupts=False)


def _step(transition: Transition) -> Ending:
    kernel = transition.kernel
    slot, task = transition.current_task()
    if kernel.task_meta(task).mode is TaskMode.RETURN:
        transition.operation = Operation("return")
        regs = kernel.memory.registers_of(slot)
        return _call(transition, "iopermit_exit_to_user", [regs], interrupts=False)
    return kernel.executor.resume(kernel.memory.registers(task, name(TASK, slot)))


def _ioperm(transition: Transition) -> Ending:
    action = transition.action
    ports = transition.kernel.ports[action["first"], action["end"]]
    return _system_call(transition, "ioperm", (ports.first, ports.count, action["turn_on"]))


def _iopl(transition: Transition) -> Ending:
    return _system_call(transition, "iopl", (transition.action["level"],))


def _system_call(transition: Transition, called: str, arguments: tuple[int, ...]) -> Ending:
    kernel = transition.kernel
    slot, _ = transition.current_task()
    regs = kernel.memory.registers_of(slot)
    for field, value in zip(("di", "si", "dx"), arguments, strict=False):
        place = regs + kernel.layout[f"offsetof_pt_regs_{field}"]
        kernel.emulator.write(place, (value & (1 << 64) - 1).to_bytes(8, "little"))
    return _call(transition, f"__x64_sys_{called}", [regs], interrupts=True)


def _fork(transition: Transition) -> Ending:
    return _make_child(transition, _USER_THREAD)


def _io_thread(transition: Transition) -> Ending:
    return _make_child(transition, _IO_WORKER)


def _make_child(transition: Transition, kind: int) -> Ending:
    kernel, child, memory = transition.kernel, transition.child, transition.kernel.memory
    assert child is not None  # forks have a child
    # What the slot's last task left is never looked at.
    memory.emulator.write(memory.task(child), bytes(kernel.layout.task_size))
    memory.emulator.write(memory.stack(child), bytes(kernel.layout.stack_size))
    arguments = [memory.task(child), memory.stack(child), 0, kind]
    return _call(transition, "iopermit_fork", arguments, interrupts=True)


def _exit(transition: Transition) -> Ending:
    return _call(transition, "iopermit_exit", [], interrupts=True)


def _exec(transition: Transition) -> Ending:
    return _call(transition, "flush_thread", [], interrupts=True)


def _vm_exit(transition: Transition) -> Ending:
    return _call(transition, "iopermit_vm_exit", [], interrupts=False)


def _nothing(_: Transition) -> Ending:
    """Execute nothing: what happens concerns no code of the subsystem."""
    return Ending()


def _call(
    transition: Transition,
    function: str,
    arguments: list[int],
    *,
    interrupts: bool,
    slot: int | None = None,
) -> Ending:
    """Call a function on the current task's stack, or on that of `slot`."""
    kernel = transition.kernel
    stack = kernel.memory.registers_of(transition.current_task()[0] if slot is None else slot)
    address = kernel.function(function)
    return kernel.executor.call(address, arguments, stack, interrupts=interrupts)


_EVENTS: Final[Mapping[str, Callable[[Transition], Ending]]] = {
    "ioperm": _ioperm,
    "iopl": _iopl,
    "fork": _fork,
    "fork-fails": _fork,
    "io-thread": _io_thread,
    "io-thread-fails": _io_thread,
    "exit": _exit,
    "exec": _exec,
    "vm-exit": _vm_exit,
    "drop-privilege": _nothing,
}
"""What executes each event of a task in user mode, or of a kernel thread."""
