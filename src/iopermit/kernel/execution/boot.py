"""Brings the emulated CPUs up and makes the first tasks: the initial state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.execution.accesses import Accesses
from iopermit.kernel.execution.classifying import Heap, Who
from iopermit.kernel.execution.contexts import Contexts, Ending
from iopermit.kernel.execution.driver import Driver
from iopermit.kernel.execution.emulator import Emulator
from iopermit.kernel.execution.host import DATA, FUNCTIONS
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.layout import Layout
from iopermit.kernel.image.linker import Image, link
from iopermit.kernel.state.contents import CPU, TASK, name
from iopermit.kernel.state.memory import Memory
from iopermit.kernel.state.state import IDLE_NAME, CpuMeta, State, TaskMeta
from iopermit.system.concretion import exact
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.scenario import Event, Scenario

if TYPE_CHECKING:
    from pathlib import Path

_NEED_RESCHED: Final = 0x8000_0000
"""PREEMPT_NEED_RESCHED, inverted: set while nobody wants to preempt."""
_USER_FLAGS: Final = 0x202
_HEADER: Final = 16
"""Bytes before the map in `struct io_bitmap`, where the tree does not tell."""


def load_image(objects: tuple[Path, ...]) -> Image:
    """Link the tree's objects with the host's functions and data."""
    return link(objects, FUNCTIONS, DATA)


def bring_up(image: Image, scenario: Scenario) -> tuple[Driver, State]:
    """Return a machine in which every CPU is up and the tasks of the scenario exist.

    Raises:
        KernelTreeError: the tree lacks something, or its own code for bringing up a CPU crashes.
    """
    layout, emulator = Layout(image), Emulator(image)
    memory = Memory(emulator, layout, scenario.cpus, scenario.tasks, 2 * scenario.tasks)
    contexts = Contexts(
        memory,
        preempt=scenario.has(Event.PREEMPT),
        failures=scenario.has(Event.ALLOCATION_FAILS),
        header=layout.get("offsetof_io_bitmap_bitmap") or 0,
    )
    tss = TssLayout(64, {IoMapBase.VALID: 0}, layout.limit)
    concretion = exact(tss, scenario.longs)
    ports = {(a, b): concretion.ports_of(a, b) for a, b in [*scenario.ranges, (0, 0)]}
    driver = Driver(contexts, ports)
    _set_globals(memory)
    cpus = [_bring_up_cpu(driver, cpu) for cpu in range(scenario.cpus)]
    for slot in range(scenario.tasks):
        _fork_first(driver, cpus[0], slot)
    contexts.accesses.seen = Accesses()
    contexts.accesses.counter = sequence_counter(image)
    return driver, _initial(driver, scenario, cpus)


def _initial(driver: Driver, scenario: Scenario, cpus: list[CpuMeta]) -> State:
    memory = driver.memory
    tasks = []
    for slot in range(scenario.tasks):
        runs = slot < scenario.cpus
        meta = TaskMeta(
            "user" if runs else "return",
            privileged=not (scenario.unprivileged and slot == 0),
            home=slot % scenario.cpus if not scenario.has(Event.MIGRATE) else 0,
        )
        tasks.append(memory.task_component(slot, meta))
    components = []
    for cpu, cpu_meta in enumerate(cpus):
        current = name(TASK, cpu) if cpu < scenario.tasks else IDLE_NAME
        address = memory.task(cpu if current else memory.idle(cpu))
        place = memory.gs_base(cpu) + driver.layout.current_task
        memory.emulator.write(place, address.to_bytes(8, "little"))
        components.append(memory.cpu_component(cpu, cpu_meta, (current,)))
    heap = (None,) * memory.heap
    return State(tuple(components), tuple(tasks), heap, memory.data_component())


def _set_globals(memory: Memory) -> None:
    image, write = memory.emulator.image, memory.emulator.write
    for cpu in range(memory.cpus):
        place = image.address("__per_cpu_offset") + 8 * cpu
        write(place, memory.gs_base(cpu).to_bytes(8, "little"))
    write(image.address("nr_cpu_ids"), memory.cpus.to_bytes(4, "little"))
    counter = sequence_counter(image)
    if counter is not None:
        write(counter, at.SEQUENCE.to_bytes(8, "little"))


def sequence_counter(image: Image) -> int | None:
    """Return the address of the counter of bitmaps' sequence numbers, if the tree has one."""
    found = (a for n, a in image.symbols.items() if n.endswith("io_bitmap_sequence"))
    return next((a for a in found if a >= image.data_start), None)


def _bring_up_cpu(driver: Driver, cpu: int) -> CpuMeta:
    memory, image, layout = driver.memory, driver.emulator.image, driver.layout
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
    driver.enter_cpu(cpu, CpuMeta(switching=False, limit=0, tr=(0, 0, 0)))
    driver.contexts.accesses.who, driver.contexts.accesses.heap = Who(cpu, -1), Heap({})
    ending = driver.contexts.call(
        image.address("iopermit_bring_up"), [cpu], memory.registers_of(idle), interrupts=False
    )
    _check(driver, ending, "brings up a CPU's TSS")
    write(base + layout.preempt_count, _NEED_RESCHED.to_bytes(4, "little"))
    selector, tss, limit, attributes = driver.emulator.task_register()
    return CpuMeta(switching=False, limit=limit, tr=(selector, tss - base, attributes))


def _fork_first(driver: Driver, meta: CpuMeta, slot: int) -> None:
    """Let CPU 0's idle task fork a task, so that it is like the ones that are forked later."""
    memory = driver.memory
    idle = memory.idle(0)
    driver.enter_cpu(0, meta)
    driver.contexts.accesses.who, driver.contexts.accesses.heap = (
        Who(0, -1, frozenset({slot})),
        Heap({}),
    )
    arguments = [memory.task(slot), memory.stack(slot), 0, 0]
    ending = driver.contexts.call(
        driver.function("iopermit_fork"), arguments, memory.registers_of(idle), interrupts=False
    )
    _check(driver, ending, "forks a task")


def _check(driver: Driver, ending: Ending, what: str) -> None:
    if ending.crash is None:
        return
    function = driver.emulator.image.function_at(ending.crash.address)
    where = f" in {function.name}()" if function else ""
    raise KernelTreeError(f"the tree's code that {what} crashes{where}: {ending.crash.message}")


def _make_task(memory: Memory, slot: int, flags: int = 0) -> None:
    layout, write, task = memory.layout, memory.emulator.write, memory.task(slot)
    write(task, bytes(layout.task_size))
    write(task + layout["offsetof_task_stack"], memory.stack(slot).to_bytes(8, "little"))
    write(task + layout["offsetof_task_flags"], flags.to_bytes(4, "little"))
    write(task + layout["offsetof_task_usage"], (1).to_bytes(4, "little"))
    user_flags = memory.registers_of(slot) + layout["offsetof_pt_regs_flags"]
    write(user_flags, _USER_FLAGS.to_bytes(8, "little"))


__all__ = ["CPU", "bring_up", "load_image"]
