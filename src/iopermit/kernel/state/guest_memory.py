"""Puts a state into the emulated machine's memory, and reads one from there."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.kernel.cpu.registers import RSP, SIZE, Registers, pack, unpack
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.state.contents import (
    CPU,
    HEAP,
    SEQUENCE,
    TASK,
    Component,
    Contents,
    address_of,
    name,
)
from iopermit.kernel.state.state import TaskMode

if TYPE_CHECKING:
    from iopermit.kernel.cpu.emulator import Emulator
    from iopermit.kernel.image.layout import Layout
    from iopermit.kernel.state.state import CpuMeta, State, TaskMeta

_DATA_NAME: Final = 1
"""No pointer refers to the global data by this name."""
_TAKEN_OUT: Final = (0x5EF7_7777_7777_7777).to_bytes(8, "little")
"""Stands in the global data where the counter is, which is a name and no content."""


BEHIND: Final = b"\x5c"
"""What follows on a heap object."""


class GuestMemory:
    """The writable memory: CPU areas, tasks and their stacks, the heap, global data."""

    def __init__(
        self, emulator: Emulator, layout: Layout, cpus: int, tasks: int, heap: int
    ) -> None:
        """Map it.

        Args:
            emulator: the emulated CPU.
            layout: the tree's own.
            cpus: how many CPUs there are.
            tasks: task slots; numbers from there on stand for the idle tasks.
            heap: heap slots.
        """
        self.emulator, self.layout, self.contents = emulator, layout, Contents(cpus, tasks, heap)
        self.cpus, self.tasks, self.heap = cpus, tasks, heap
        image = emulator.image
        self._link, self._area = image.per_cpu_link, at.align(len(image.per_cpu), 8)
        self._task = at.align(layout.task_size, 8)
        self._data = at.align(len(image.data), 8)
        gdt = image.address("gdt_page") - self._link
        self._descriptor = gdt + 8 * layout["GDT_ENTRY_TSS"]
        self._loaded: dict[int, Component | None] = {}
        self._raw: dict[int, tuple[bytes, Component]] = {}
        """What was written last to a component's place, without its stack, and for what."""
        self.junk = b""
        """The byte that was put below the stack pointer, if it was another one than 0."""
        self.whole_stacks = False
        """Whether what is below the stack pointer of a stopped context is part of a state too."""
        self.counter: int | None = None
        """Address of the counter of sequence numbers, if the tree has one."""
        for cpu in range(cpus):
            emulator.map(self.gs_base(cpu) + self._link, self._area)
        for slot in range(tasks + cpus):
            emulator.map(self.task(slot), self._task)
            emulator.map(self.stack(slot), layout.stack_size)
        for slot in range(heap):
            emulator.map(at.HEAP + slot * at.HEAP_STRIDE, at.HEAP_STRIDE // 2)
            self.protect(slot, 0)

    # Addresses.

    def gs_base(self, cpu: int) -> int:
        """Return the base of a CPU's area: a per-CPU symbol's address is relative to it."""
        return address_of(name(CPU, cpu))

    def task(self, slot: int) -> int:
        """Return the address of a task's structure."""
        if slot >= self.tasks:
            return self.gs_base(slot - self.tasks) + at.IDLE
        return address_of(name(TASK, slot))

    def stack(self, slot: int) -> int:
        """Return the lowest address of a task's kernel stack."""
        return self.task(slot) + at.STACK

    def registers_of(self, slot: int) -> int:
        """Return the address of `struct pt_regs` on a task's kernel stack."""
        return self.stack(slot) + self.layout.pt_regs

    def idle(self, cpu: int) -> int:
        """Return the task slot of a CPU's idle task."""
        return self.tasks + cpu

    def protect(self, slot: int, size: int) -> None:
        """Make a heap slot usable up to the page in which an object of `size` bytes ends.

        With size 0 the slot is free: every access to it is a fault. In that page the same follows
        on every object: what lay there before is in no state.
        """
        address = at.HEAP + slot * at.HEAP_STRIDE
        self.emulator.protect(address, at.HEAP_STRIDE // 2, usable=False)
        if size:
            self.emulator.protect(address, size, usable=True)
            self.emulator.write(address + size, BEHIND * (at.align(size) - size))

    # From a state into memory.

    def load(self, state: State) -> None:
        """Write what differs from what is in memory."""
        contents = self.contents
        for cpu, component in enumerate(state.cpus):
            if self._changes(name(CPU, cpu), component):
                data = contents.data_of(component, name(CPU, cpu), address_of)
                area = self._moved_descriptor(data[: self._area], self.gs_base(cpu))
                self.emulator.write(self.gs_base(cpu) + self._link, area)
                idle = data[self._area : self._area + self._task]
                self._raw[name(CPU, cpu)] = (area + idle, component)
                self.emulator.write(self.task(self.idle(cpu)), idle)
                self._load_stack(self.idle(cpu), data[self._area + self._task :])
        for slot, task in enumerate(state.tasks):
            if self._changes(name(TASK, slot), task) and task is not None:
                data = contents.data_of(task, name(TASK, slot), address_of)
                self.emulator.write(self.task(slot), data[: self._task])
                self._raw[name(TASK, slot)] = (data[: self._task + 8], task)
                self._load_user(slot, data[self._task : self._task + 8])
                self._load_stack(slot, data[self._task + 8 :])
        for slot, used in enumerate(state.heap):
            if self._changes(name(HEAP, slot), used):
                self.protect(slot, 0)
                if used is not None:
                    data = contents.data_of(used, name(HEAP, slot), address_of)
                    self.protect(slot, len(data))
                    self._raw[name(HEAP, slot)] = (data, used)
                    self.emulator.write(at.HEAP + slot * at.HEAP_STRIDE, data)
        if self._changes(_DATA_NAME, state.data):
            data = self._data_of(state.data)
            self._raw[_DATA_NAME] = (data, state.data)
            self.emulator.write(self.emulator.image.data_start, data)

    def _changes(self, slot: int, component: Component | None) -> bool:
        known = self._loaded.get(slot, False)
        self._loaded[slot] = component
        return known is False or known != component

    def forget(self, slot: int) -> None:
        """Note that kernel code may have changed a component in memory."""
        self._loaded.pop(slot, None)

    def forget_data(self) -> None:
        """Note that kernel code may have changed the global data."""
        self._loaded.pop(_DATA_NAME, None)

    def _load_user(self, slot: int, flags: bytes) -> None:
        """Put the registers of user mode, of which only the flags matter, onto the stack."""
        start = self.registers_of(slot)
        self.emulator.write(start, bytes(self.layout.pt_regs_size))
        self.emulator.write(start + self.layout["offsetof_pt_regs_flags"], flags)

    def _load_stack(self, slot: int, data: bytes) -> None:
        stack = data[SIZE:]
        if stack:
            top = self.stack(slot) + self.layout.stack_size
            self.emulator.write(top - len(stack), stack)

    # From memory into a state.

    def cpu_component(
        self, cpu: int, meta: CpuMeta, names: tuple[int, ...], registers: Registers = ()
    ) -> Component:
        """Read a CPU's own memory; with registers, its stack too."""
        own = name(CPU, cpu)
        idle = self.idle(cpu)
        data = self._moved_descriptor(self._raw_of_cpu(cpu), -self.gs_base(cpu))
        stack = self._stack(idle, registers) if registers else b""
        meta = meta._replace(stack=len(stack))
        data += pack(registers) + stack
        return self.contents.component(meta, data, own, names)

    def _raw_of_cpu(self, cpu: int) -> bytes:
        area = self.emulator.read(self.gs_base(cpu) + self._link, self._area)
        return area + self.emulator.read(self.task(self.idle(cpu)), self._task)

    def cpu_again(self, cpu: int, component: Component) -> Component:
        """Read a CPU that executed nothing: the same component unless another one wrote to it."""
        own = name(CPU, cpu)
        if self._raw_of_cpu(cpu) == self._raw[own][0]:
            return component
        self.forget(own)
        content = self.contents[component[0]]
        meta: CpuMeta = content.meta  # type: ignore[assignment]  # what CPUs have
        registers = self.registers(component, own) if meta.switching else ()
        return self.cpu_component(cpu, meta, component[1][: content.leading], registers)

    def task_again(self, slot: int, component: Component) -> Component:
        """Read a task that executed nothing: the same component unless something wrote to it."""
        own = name(TASK, slot)
        if self._raw_of_task(slot) == self._raw[own][0]:
            return component
        self.forget(own)
        content = self.contents[component[0]]
        meta: TaskMeta = content.meta  # type: ignore[assignment]  # what tasks have
        registers = self.registers(component, own) if meta.mode is TaskMode.KERNEL else ()
        return self.task_component(slot, meta, component[1][: content.leading], registers)

    def _raw_of_task(self, slot: int) -> bytes:
        flags = self.registers_of(slot) + self.layout["offsetof_pt_regs_flags"]
        return self.emulator.read(self.task(slot), self._task) + self.emulator.read(flags, 8)

    def _moved_descriptor(self, area: bytes, distance: int) -> bytes:
        """Return a CPU's area with the base in the descriptor of its TSS moved.

        The descriptor has the address in pieces (SDM vol. 3, "TSS Descriptor in 64-bit mode"),
        which `Contents` cannot recognise. In contents it is relative to the CPU's area.
        """
        start = self._descriptor
        low, high = struct.unpack_from("<QQ", area, start)
        base = (low >> 16 & 0xFF_FFFF) | (low >> 56 << 24) | (high & 0xFFFF_FFFF) << 32
        base = (base + distance) % (1 << 64)
        low = (low & 0x00FF_FF00_0000_FFFF) | (base & 0xFF_FFFF) << 16 | (base >> 24 & 0xFF) << 56
        high = (high >> 32 << 32) | base >> 32
        return area[:start] + struct.pack("<QQ", low, high) + area[start + 16 :]

    def task_component(
        self, slot: int, meta: TaskMeta, names: tuple[int, ...] = (), registers: Registers = ()
    ) -> Component:
        """Read a task's structure and flags of user mode; with registers, its stack too."""
        data = self._raw_of_task(slot)
        stack = self._stack(slot, registers) if registers else b""
        meta = meta._replace(stack=len(stack))
        data += pack(registers) + stack
        return self.contents.component(meta, data, name(TASK, slot), names)

    def heap_component(self, slot: int, size: int) -> Component:
        """Read a heap object of `size` bytes."""
        data = self.emulator.read(at.HEAP + slot * at.HEAP_STRIDE, at.align(size, 8))
        known, component = self._raw.get(name(HEAP, slot), (b"", None))
        if component is not None and data == known and self.contents[component[0]].meta == size:
            return component
        return self.contents.component(size, data, name(HEAP, slot))

    def data_component(self) -> Component:
        """Read the global data. Its first name is the counter of sequence numbers."""
        start = self.emulator.image.data_start
        data = self.emulator.read(start, self._data)
        known, component = self._raw.get(_DATA_NAME, (b"", None))
        if component is not None and data == known:
            return component
        counter = name(SEQUENCE, 0)
        if self.counter is not None:
            offset = self.counter - start
            value = int.from_bytes(data[offset : offset + 8], "little")
            if at.SEQUENCE <= value < at.SEQUENCE + at.SEQUENCES:
                counter = name(SEQUENCE, value - at.SEQUENCE)
                data = data[:offset] + _TAKEN_OUT + data[offset + 8 :]
        return self.contents.component("data", data, _DATA_NAME, (counter,))

    def _data_of(self, component: Component) -> bytes:
        """Return the bytes of the global data, with the counter in its place."""
        data = self.contents.data_of(component, _DATA_NAME, address_of)
        if self.counter is None:
            return data
        offset = self.counter - self.emulator.image.data_start
        if data[offset : offset + 8] != _TAKEN_OUT:
            return data
        counter = address_of(component[1][0]).to_bytes(8, "little")
        return data[:offset] + counter + data[offset + 8 :]

    def registers(self, component: Component, own: int) -> Registers:
        """Return the registers in a component of a stopped context."""
        data = self.contents.data_of(component, own, address_of)
        meta = self.contents[component[0]].meta
        size = meta.stack  # type: ignore[attr-defined]  # a context's
        end = len(data) - size
        return unpack(data[end - SIZE : end])

    def _stack(self, slot: int, registers: Registers) -> bytes:
        """Return the bytes of the stack that are in use."""
        top = self.stack(slot) + self.layout.stack_size
        if self.whole_stacks:
            return self.emulator.read(self.stack(slot), self.layout.stack_size)
        # Below RSP nothing lives: kernel code has no red zone.
        stack = self.emulator.read(registers[RSP], top - registers[RSP])
        if not self.junk:
            return stack
        # Local variables that were not written yet.
        words = np.frombuffer(stack, "<u4").copy()
        words[words == int.from_bytes(self.junk * 4, "little")] = 0
        return words.tobytes()
