"""Entries into the kernel: what surrounds a design's hooks, step by step.

Each function is a generator that stops before each step. It runs the hook and then the step in
which the specification's grants follow the result.
"""

from __future__ import annotations

from typing import Any, Protocol

from iopermit.system.bitmap import PortRange
from iopermit.system.design import Design
from iopermit.system.execution import ExecutionContext, Mode, Processor, Thread
from iopermit.system.heap import copy_fields
from iopermit.system.position import CallFrame, Position, Steps

RETURN_TO_USER = Position("return to user mode: interrupts off")


class KernelServices(Protocol):
    """What the entries need of the system."""

    design: Design

    def has_hook(self, name: str) -> bool:
        """Return whether the design has a hook."""

    def hook(self, name: str, *arguments: object) -> Steps:
        """Run a hook; a missing one has no steps and returns 0."""

    def this_cpu(self, thread: Thread) -> Any:  # noqa: ANN401 - a Cpu record, whichever it is
        """Return the CPU that `thread` is on at each moment."""

    def start_child(self, parent: Thread, slot: int, *, kernel_thread: bool) -> Thread:
        """Take a task slot for a child."""

    def release_task(self, thread: Thread) -> None:
        """Give a task slot back."""

    def advance(self, context: ExecutionContext) -> None:
        """Execute one step of a task or CPU, or go up to its first."""

    def report_refusal(self, thread: Thread) -> None:
        """Note that a granted port was finally refused."""


def before(label: str) -> Steps:
    """Stop before a step of the environment."""
    yield (CallFrame(Position(label)),)


def leave(kernel: KernelServices, thread: Thread) -> Steps:
    """Go back to where the task came from: user mode, or the wait of a kernel thread."""
    if thread.record.kernel_thread:
        thread.mode = Mode.KERNEL_THREAD
        return
    if kernel.has_hook("return_to_user"):
        thread.mode = Mode.KERNEL
        yield (CallFrame(RETURN_TO_USER),)
        thread.interrupts_off = True
        yield from kernel.hook("return_to_user", kernel.this_cpu(thread), thread.record)
        thread.interrupts_off = False
    thread.mode = Mode.USER


def ioperm(kernel: KernelServices, thread: Thread, ports: PortRange, turn_on: bool) -> Steps:
    """Serve the system call and note what it granted or revoked."""
    cpu = kernel.this_cpu(thread)
    thread.result = yield from kernel.hook("ioperm", cpu, thread.record, ports, turn_on)
    yield from before("ioperm() returns")
    if thread.result == 0:
        thread.grants.change(ports, turn_on)
    yield from leave(kernel, thread)


def iopl(kernel: KernelServices, thread: Thread, level: int) -> Steps:
    """Serve the system call and note the level that it granted."""
    thread.result = yield from kernel.hook("iopl", kernel.this_cpu(thread), thread.record, level)
    yield from before("iopl() returns")
    if thread.result == 0:
        thread.grants.iopl = level
    yield from leave(kernel, thread)


def fork(
    kernel: KernelServices, thread: Thread, slot: int, *, kernel_thread: bool, fails: bool
) -> Steps:
    """Make a child in task slot `slot`; if `fails`, unwind after the thread state was copied."""
    child = kernel.start_child(thread, slot, kernel_thread=kernel_thread)
    copy_fields(thread.record, child.record)
    child.record.kernel_thread = kernel_thread or thread.record.kernel_thread
    cpu, task = kernel.this_cpu(thread), thread.record
    thread.result = yield from kernel.hook("fork", cpu, task, child.record)
    yield from before("fork returns")
    if thread.result != 0:
        kernel.release_task(child)
    elif fails:
        yield from kernel.hook("fork_failed", cpu, task, child.record)
        yield from before("fork: unwound")
        kernel.release_task(child)
    else:
        child.grants.copy_from(thread.grants)
        child.steps = leave(kernel, child)
        kernel.advance(child)
    yield from leave(kernel, thread)


def leave_for_good(kernel: KernelServices, thread: Thread) -> Steps:
    """End the task."""
    thread.result = yield from kernel.hook("exit", kernel.this_cpu(thread), thread.record)
    yield from before("the task is dead")
    thread.grants.clear()
    thread.mode = Mode.DEAD


def execve(kernel: KernelServices, thread: Thread) -> Steps:
    """Execute another program."""
    thread.result = yield from kernel.hook("execve", kernel.this_cpu(thread), thread.record)
    yield from before("execve() returns")
    if kernel.has_hook("execve") and not getattr(kernel.design, "iopl_survives_exec", True):
        thread.grants.iopl = 0
    yield from leave(kernel, thread)


def drop_privilege(kernel: KernelServices, thread: Thread) -> Steps:
    """Give up CAP_SYS_RAWIO."""
    thread.record.privileged = False
    yield from leave(kernel, thread)


def vm_exit(kernel: KernelServices, thread: Thread) -> Steps:
    """Come back from a guest; the hardware has set the cached TSS limit to 0x67."""
    cpu = kernel.this_cpu(thread)
    cpu.tr_limit_low = True
    thread.interrupts_off = True
    thread.result = yield from kernel.hook("vm_exit", cpu, thread.record)
    thread.interrupts_off = False
    yield from before("return from the system call")
    yield from leave(kernel, thread)


def fault(kernel: KernelServices, thread: Thread, *, granted: bool) -> Steps:
    """Handle the #GP of a port access that the processor refused."""
    cpu = kernel.this_cpu(thread)
    thread.result = yield from kernel.hook("general_protection", cpu, thread.record)
    yield from before("the #GP handler returns")
    if granted and not thread.result:
        kernel.report_refusal(thread)
    yield from leave(kernel, thread)


def switch(
    kernel: KernelServices, processor: Processor, previous: Thread, following: Thread
) -> Steps:
    """Switch the CPU from one task to another."""
    yield from kernel.hook("switch_to", processor.record, previous.record, following.record)
    yield from before("the next task runs")
    processor.record.current = following.record
    following.cpu = processor.index
    processor.previous = processor.following = None
    if previous.mode is Mode.DEAD:
        kernel.release_task(previous)
