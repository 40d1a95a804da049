"""Executes kernel code of one CPU up to the next scheduling point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.crashes import Crash, CrashKind
from iopermit.kernel.cpu.faults import crash_of
from iopermit.kernel.cpu.liveness import Liveness
from iopermit.kernel.cpu.registers import FLAGS, INTERRUPTS, RAX, RFLAGS, RIP, Registers
from iopermit.kernel.execution.classifier import Classifier
from iopermit.kernel.execution.host import FUNCTIONS
from iopermit.kernel.execution.host_services import HostServices
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.kernel.cpu.emulator import Fault
    from iopermit.kernel.execution.scheduling_points import SchedulingPoints
    from iopermit.kernel.state.guest_memory import GuestMemory

COUNT_MASK: Final = 0x7FFF_FFFF
"""Without PREEMPT_NEED_RESCHED, which is set while nobody wants to preempt."""


@dataclass
class Ending:
    """How a transition ended.

    Attributes:
        registers: of the stopped context; None if it returned.
        preemptible: whether it can be preempted where it stopped.
        result: what the called function returned.
        crash: set if the kernel crashed.
        foreign: whether it accessed what it should have nothing to do with.
        heap: whether it accessed the heap.
    """

    registers: Registers | None = None
    preemptible: bool = False
    result: int = 0
    crash: Crash | None = None
    foreign: bool = False
    heap: bool = False


class Executor:
    """The CPU that executes transitions, with the host's functions behind it."""

    def __init__(self, memory: GuestMemory, *, preempt: bool, failures: bool, header: int) -> None:
        """Install the hooks.

        Args:
            memory: the machine.
            preempt: whether kernel code can be preempted.
            failures: whether allocations can fail.
            header: bytes at the start of heap objects whose accesses are watched.
        """
        self.memory, self.emulator, self.layout = memory, memory.emulator, memory.layout
        self.preempt, self.header = preempt, header
        self.accesses = Classifier(memory)
        self.services = HostServices(memory, self.accesses, self._crash, failures=failures)
        self._ending = Ending()
        self._skip = self._reads = self._writes = 0
        self.before_stop: Callable[[Ending], None] = lambda _: None
        """Reads what is needed from memory: the instruction at hand may still change it."""
        self.guard: Callable[[int], str] | None = None
        """Names what a write must not go to; an empty string if it may."""
        self._liveness = Liveness(memory.emulator.image)
        self.executed: set[tuple[int, int]] = set()
        self._tss_hooked = self._heap_hooked = self._interrupts_hooked = False
        self._began_preemptible = False
        self.emulator.on_host_call(self._host_call)
        self.emulator.on_access(self._accessed, self._ranges())
        self.emulator.on_new_block(lambda address, size: self.executed.add((address, size)))

    def watch(self, points: SchedulingPoints) -> None:
        """Use other points from now on."""
        self.accesses.points = points
        if points.interrupts and not self._interrupts_hooked:
            self._interrupts_hooked = True
            addresses = self._liveness.disabling_interrupts()
            self.emulator.on_address(self._switching_interrupts_off, addresses)
        if points.tss_bitmap and not self._tss_hooked:
            self._tss_hooked = True
            self.emulator.on_access(self._accessed, [self._tss_maps(c) for c in self._all_cpus()])
        if any(word >= self.header for word in points.shared) and not self._heap_hooked:
            self._heap_hooked = True
            slots = (at.HEAP + n * at.HEAP_STRIDE for n in range(self.memory.heap))
            ranges = [(a + self.header, a + at.HEAP_STRIDE // 2) for a in slots]
            self.emulator.on_access(self._accessed, ranges)

    def _all_cpus(self) -> range:
        return range(self.memory.cpus)

    def _tss_maps(self, cpu: int) -> tuple[int, int]:
        base = self.memory.gs_base(cpu)
        return base + self.layout.tss_bitmap, base + self.layout.tss_end

    def _ranges(self) -> Iterable[tuple[int, int]]:
        memory = self.memory
        for cpu in self._all_cpus():
            start, end = self._tss_maps(cpu)
            yield memory.gs_base(cpu), start
            yield end, memory.gs_base(cpu) + at.IDLE + self.layout.task_size
        for slot in range(memory.tasks):
            yield memory.task(slot), memory.task(slot) + self.layout.task_size
        if self.header:
            for slot in range(memory.heap):
                address = at.HEAP + slot * at.HEAP_STRIDE
                yield address, address + self.header
        start = self.emulator.image.data_start
        yield start, start + len(self.emulator.image.data)

    # Running.

    def call(
        self, function: int, arguments: Iterable[int], stack: int, *, interrupts: bool
    ) -> Ending:
        """Call a function of the image on a stack, up to the next point."""
        flags = FLAGS | (INTERRUPTS if interrupts else 0)
        self._start(-1, preemptible=interrupts)
        registers = self.emulator.prepared(function, arguments, stack, flags)
        return self._end(self.emulator.resume(registers))

    def resume(self, registers: Registers) -> Ending:
        """Go on with a stopped context up to the next point."""
        self._start(registers[RIP], preemptible=bool(registers[RFLAGS] & INTERRUPTS))
        return self._end(self.emulator.resume(registers))

    def _start(self, skip: int, *, preemptible: bool) -> None:
        self._ending = Ending()
        self.accesses.foreign = self.accesses.touched_heap = False
        self._began_preemptible = preemptible
        self._skip, self._reads, self._writes = skip, 0, 0

    def _end(self, fault: Fault | None) -> Ending:
        ending = self._ending
        if ending.crash is None and fault is not None:
            ending.crash = crash_of(self.emulator, fault, self.memory.heap, self.accesses.heap.used)
        ending.foreign, ending.heap = self.accesses.foreign, self.accesses.touched_heap
        if ending.crash is None and ending.registers is None:
            ending.result = self.emulator.register(RAX)
        return ending

    def preemptible(self) -> bool:
        """Return whether the running code could be preempted now."""
        if not self._interrupts_on():
            return False
        address = self.memory.gs_base(self.accesses.actor.cpu) + self.layout.preempt_count
        count = int.from_bytes(self.emulator.read(address, 4), "little")
        return count & COUNT_MASK == 0

    def _interrupts_on(self) -> bool:
        return bool(self.emulator.register(RFLAGS) & INTERRUPTS)

    def _switching_interrupts_off(self) -> None:
        """Stop before an instruction that keeps preemption out of what follows."""
        if self.emulator.register(RIP) == self._skip:
            return
        self._skip = -1
        if self.preempt and self.preemptible():
            self._stop(preemptible=True)

    def _stop(self, *, preemptible: bool) -> None:
        self._ending.registers = self._liveness.clean(self.emulator.registers())
        self._ending.preemptible = preemptible
        self.before_stop(self._ending)
        self.emulator.stop()

    # Accesses.

    def _accessed(self, write: bool, address: int, size: int, value: int) -> None:  # noqa: FBT001 - Unicorn's
        if write and self.guard is not None:
            outside = self.guard(address)
            if outside:
                what = f"writes to {outside}, outside the subsystem's objects"
                self._crash(Crash(CrashKind.OUTSIDE, what, self.emulator.register(RIP)))
                return
        local, shared = self.accesses.classify(address, size, value, write=write)
        if not local and not shared:
            return
        rip = self.emulator.register(RIP)
        if rip == self._skip:
            # The access before which the context stopped: one read and one write of it.
            self._reads += not write
            self._writes += write
            if self._reads <= 1 and self._writes <= 1:
                return
        self._skip = -1
        preemptible = self.preempt and self.preemptible()
        if local and self._began_preemptible and not self._interrupts_on():
            self.accesses.seen.interrupts = True
        if preemptible or (shared and self.memory.cpus > 1):
            self._stop(preemptible=preemptible)

    # The host.

    def _host_call(self, called: str) -> None:
        result = FUNCTIONS[called](self.services, self.emulator.arguments())
        if self._ending.crash is None:
            self.emulator.set_result(result)

    def _crash(self, crash: Crash) -> None:
        """End the transition with a crash."""
        self._ending.crash = crash
        self.emulator.stop()
