"""What the host's functions can do to the emulated machine: allocate, free, read, write, crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.crashes import Crash, CrashKind
from iopermit.kernel.cpu.registers import RSP
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.kernel.execution.classifier import Classifier
    from iopermit.kernel.state.guest_memory import GuestMemory

FAILS: Final = -1
"""The choice that an allocation fails."""


class HeapExhausted(Exception):  # noqa: N818 - a limit of the search, not an error
    """More heap objects are alive than the heap has slots: the bound is too small."""


class HostServices:
    """The host's side of the machine, for the functions beside."""

    def __init__(
        self,
        memory: GuestMemory,
        accesses: Classifier,
        crash: Callable[[Crash], None],
        *,
        failures: bool,
    ) -> None:
        """Serve the code that is being executed.

        Args:
            memory: the machine's memory.
            accesses: knows the heap of the running transition, and its task.
            crash: ends the transition.
            failures: whether allocations can fail.
        """
        self._memory, self._emulator = memory, memory.emulator
        self._accesses, self._crash, self._failures = accesses, crash, failures
        self.locked_down = False
        """Whether the kernel is locked down; only the sequential pass asks that."""

    def allocate(self, size: int) -> int:
        """Take a heap slot as planned; without a plan, the first one that is possible."""
        if size > at.HEAP_STRIDE // 2:
            raise KernelTreeError(f"the tree allocates {size} bytes at once, which is too much")
        heap, options = self._accesses.heap, self._options()
        number = len(heap.options)
        heap.options.append(options)
        choice = heap.plan[number] if number < len(heap.plan) else options[0]
        if choice == FAILS:
            return 0
        heap.used[choice] = size
        self._memory.protect(choice, size)
        return at.HEAP + choice * at.HEAP_STRIDE

    def _options(self) -> list[int]:
        heap = self._accesses.heap
        free = [slot for slot in range(self._memory.heap) if slot not in heap.used]
        dangling = [slot for slot in free if slot in heap.dangling]
        fresh = [slot for slot in free if slot not in heap.dangling][:1]
        if not free:
            raise HeapExhausted
        return fresh + dangling + ([FAILS] if self._failures else [])

    def free(self, address: int) -> None:
        """Free a heap object; every later access to it is a fault."""
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if not 0 <= slot < self._memory.heap or offset:
            self.crash(CrashKind.BAD_FREE, f"kfree() of {address:#x}, which is no object")
        elif slot not in self._accesses.heap.used:
            self.crash(
                CrashKind.DOUBLE_FREE, "double free: kfree() of an object that is free already"
            )
        else:
            del self._accesses.heap.used[slot]
            self._memory.protect(slot, 0)

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; they are zero if there is none, which is a crash."""
        return self._emulator.read(address, size) if self._usable(address, size) else bytes(size)

    def write(self, address: int, data: bytes) -> None:
        """Change bytes of memory; a crash if there is none."""
        if self._usable(address, len(data)):
            self._emulator.write(address, data)

    def _usable(self, address: int, size: int) -> bool:
        """Return whether memory can be accessed; let the kernel crash if it cannot."""
        self._accesses.note_tss(address, size)
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if 0 <= slot < self._memory.heap:
            used = self._accesses.heap.used.get(slot)
            if used is None:
                self.crash(CrashKind.USE_AFTER_FREE, "use after free: access of a freed object")
            elif offset + size > used:
                what = f"access {offset + size - used} bytes behind the end of an object"
                self.crash(CrashKind.OUT_OF_BOUNDS, what)
            else:
                return True
            return False
        if not self._emulator.is_mapped(address, size):
            self.crash(CrashKind.NO_MEMORY, f"access of {address:#x}, where there is no memory")
            return False
        return True

    def crash(self, kind: CrashKind, message: str) -> None:
        """End the transition with a crash of the function that called the host."""
        address = int.from_bytes(self._emulator.read(self._emulator.register(RSP), 8), "little")
        self._crash(Crash(kind, message, address - 1))

    def cpu_entry_area(self, cpu: int) -> int:
        """Return where a CPU's entry area would begin for its TSS to be the CPU's own."""
        layout = self._memory.layout
        start = layout.tss - layout["offsetof_tss_x86_tss"] - layout["offsetof_cpu_entry_area_tss"]
        return self._memory.gs_base(cpu) + start

    @property
    def privileged(self) -> bool:
        """Whether the task has CAP_SYS_RAWIO."""
        return self._accesses.actor.privileged
