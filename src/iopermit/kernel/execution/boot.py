"""Brings the emulated CPUs up and makes the first tasks: the initial state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.emulator import Emulator
from iopermit.kernel.cpu.registers import USER_FLAGS
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.execution.classifier import Actor, HeapUse
from iopermit.kernel.execution.driver import Driver
from iopermit.kernel.execution.every_access import EveryAccessExecutor
from iopermit.kernel.execution.executor import Executor, TransitionEnd
from iopermit.kernel.execution.functions import BEGIN_XEN, BRING_UP
from iopermit.kernel.execution.kernel import EmulatedKernel
from iopermit.kernel.execution.scheduling_points import ObservedAccesses
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.layout import Layout
from iopermit.kernel.state.contents import TASK, name
from iopermit.kernel.state.guest_memory import GuestMemory
from iopermit.kernel.state.state import IDLE_NAME, CpuMeta, State, TaskMeta, TaskMode
from iopermit.system.concretion import exact
from iopermit.system.events import Event
from iopermit.system.machine_state import IoMapBase, TssLayout

if TYPE_CHECKING:
    from iopermit.kernel.image.linker import Image
    from iopermit.system.scenario import Scenario

_NEED_RESCHED: Final = 0x8000_0000
"""PREEMPT_NEED_RESCHED, inverted: set while nobody wants to preempt."""


def bring_up(
    image: Image, scenario: Scenario, *, every_access: bool = False
) -> tuple[Driver, State]:
    """Return a machine in which every CPU is up and the tasks of the scenario exist.

    Args:
        image: the tree's code.
        scenario: how many CPUs and tasks there are, and which events.
        every_access: whether transitions end before every access to memory.

    Raises:
        KernelTreeError: the tree lacks something, or its own code for bringing up a CPU crashes.
    """
    layout, emulator = Layout(image), Emulator(image)
    memory = GuestMemory(emulator, layout, scenario.cpus, scenario.tasks, 2 * scenario.tasks)
    kind = EveryAccessExecutor if every_access else Executor
    executor = kind(
        memory,
        preempt=scenario.has(Event.PREEMPT),
        failures=scenario.has(Event.ALLOCATION_FAILS),
        header=layout.get("offsetof_io_bitmap_bitmap") or 0,
    )
    tss = TssLayout(64, {IoMapBase.VALID: 0}, layout.limit)
    concretion = exact(tss, scenario.longs)
    ports = {(a, b): concretion.ports_of(a, b) for a, b in [*scenario.ranges, (0, 0)]}
    kernel = EmulatedKernel(executor, ports)
    _set_globals(memory)
    cpus = [_bring_up_cpu(kernel, cpu) for cpu in range(scenario.cpus)]
    for slot in range(scenario.tasks):
        _fork_first(kernel, cpus[0], slot)
    executor.accesses.seen = ObservedAccesses()
    executor.accesses.counter = memory.counter
    return Driver(kernel), _initial(kernel, scenario, cpus)


def _initial(kernel: EmulatedKernel, scenario: Scenario, cpus: list[CpuMeta]) -> State:
    memory = kernel.memory
    tasks = []
    for slot in range(scenario.tasks):
        runs = slot < scenario.cpus
        meta = TaskMeta(
            TaskMode.USER if runs else TaskMode.RETURN,
            privileged=not (scenario.unprivileged and slot == 0),
            home=slot % scenario.cpus if not scenario.has(Event.MIGRATE) else 0,
        )
        tasks.append(memory.task_component(slot, meta))
    components = []
    for cpu, cpu_meta in enumerate(cpus):
        current = name(TASK, cpu) if cpu < scenario.tasks else IDLE_NAME
        address = memory.task(cpu if current else memory.idle(cpu))
        place = memory.gs_base(cpu) + kernel.layout.current_task
        memory.emulator.write(place, address.to_bytes(8, "little"))
        components.append(memory.cpu_component(cpu, cpu_meta, (current,)))
    heap = (None,) * memory.heap
    return State(tuple(components), tuple(tasks), heap, memory.data_component())


def _set_globals(memory: GuestMemory) -> None:
    image, write = memory.emulator.image, memory.emulator.write
    for cpu in range(memory.cpus):
        place = image.address("__per_cpu_offset") + 8 * cpu
        write(place, memory.gs_base(cpu).to_bytes(8, "little"))
    write(image.address("nr_cpu_ids"), memory.cpus.to_bytes(4, "little"))
    make_caches(memory)
    memory.counter = sequence_counter(image)
    if memory.counter is not None:
        write(memory.counter, at.SEQUENCE.to_bytes(8, "little"))


def make_caches(memory: GuestMemory) -> None:
    """Fill the table of kmalloc's caches, by kind and index: its entries say what is allocated."""
    image = memory.emulator.image
    caches, row = image.symbols.get("kmalloc_caches"), memory.layout.get("KMALLOC_SHIFT_HIGH")
    if caches is None or row is None:
        return
    for number in range(image.sizes["kmalloc_caches"] // 8):
        cache = at.CACHES + at.CACHE_STRIDE * (number % (row + 1))
        memory.emulator.write(caches + 8 * number, cache.to_bytes(8, "little"))


def sequence_counter(image: Image) -> int | None:
    """Return the address of the counter of bitmaps' sequence numbers, if the tree has one."""
    found = (a for n, a in image.symbols.items() if n.endswith("io_bitmap_sequence"))
    return next((a for a in found if a >= image.data_start), None)


def _bring_up_cpu(kernel: EmulatedKernel, cpu: int) -> CpuMeta:
    memory, image, layout = kernel.memory, kernel.emulator.image, kernel.layout
    write, base = memory.emulator.write, memory.gs_base(cpu)
    write(base + image.per_cpu_link, image.per_cpu)
    idle = memory.idle(cpu)
    _make_task(memory, idle, flags=layout["PF_KTHREAD"])
    for place, value, size in (
        (layout.current_task, memory.task(idle), 8),
        (layout.preempt_count, _NEED_RESCHED + 1, 4),
        (layout.cpu_number, cpu, 4),
        (image.address("this_cpu_off"), base, 8),
    ):
        write(base + place, value.to_bytes(size, "little"))
    kernel.enter_cpu(cpu, CpuMeta(switching=False, limit=0, tr=(0, 0, 0)))
    _act_as(kernel, Actor(cpu, -1))
    steps = [(BRING_UP, "brings up a CPU's TSS")]
    if layout.xen_map is not None:
        steps.insert(0, (BEGIN_XEN, "registers the operations of a Xen PV guest"))
    for function, what in steps:
        ending = kernel.executor.call(
            kernel.function(function), [cpu], memory.registers_of(idle), interrupts=False
        )
        _check(kernel, ending, what)
    write(base + layout.preempt_count, _NEED_RESCHED.to_bytes(4, "little"))
    selector, tss, limit, attributes = kernel.emulator.task_register()
    return CpuMeta(switching=False, limit=limit, tr=(selector, tss - base, attributes))


def _fork_first(kernel: EmulatedKernel, meta: CpuMeta, slot: int) -> None:
    """Let CPU 0's idle task fork a task, so that it is like the ones that are forked later."""
    memory = kernel.memory
    idle = memory.idle(0)
    kernel.enter_cpu(0, meta)
    _act_as(kernel, Actor(0, -1, frozenset({slot})))
    arguments = [memory.task(slot), memory.stack(slot), 0, 0]
    ending = kernel.executor.call(
        kernel.function("iopermit_fork"), arguments, memory.registers_of(idle), interrupts=False
    )
    _check(kernel, ending, "forks a task")


def _act_as(kernel: EmulatedKernel, actor: Actor) -> None:
    """Execute on somebody's behalf, without any heap."""
    accesses = kernel.executor.accesses
    accesses.actor, accesses.heap = actor, HeapUse({})


def _check(kernel: EmulatedKernel, ending: TransitionEnd, what: str) -> None:
    if ending.crash is None:
        return
    function = kernel.emulator.image.function_at(ending.crash.address)
    where = f" in {function.name}()" if function else ""
    raise KernelTreeError(f"the tree's code that {what} crashes{where}: {ending.crash.message}")


def _make_task(memory: GuestMemory, slot: int, flags: int = 0) -> None:
    layout, write, task = memory.layout, memory.emulator.write, memory.task(slot)
    write(task, bytes(layout.task_size))
    write(task + layout["offsetof_task_stack"], memory.stack(slot).to_bytes(8, "little"))
    write(task + layout["offsetof_task_flags"], flags.to_bytes(4, "little"))
    write(task + layout["offsetof_task_usage"], (1).to_bytes(4, "little"))
    user_flags = memory.registers_of(slot) + layout["offsetof_pt_regs_flags"]
    write(user_flags, USER_FLAGS.to_bytes(8, "little"))
