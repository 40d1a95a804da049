"""Executes kernel code of one CPU up to the next scheduling point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.crashes import Crash, CrashKind
from iopermit.kernel.cpu.faults import crash_of
from iopermit.kernel.cpu.liveness import Liveness
from iopermit.kernel.cpu.registers import (
    FLAGS,
    INTERRUPTS,
    RAX,
    RFLAGS,
    RIP,
    RSP,
    Registers,
)
from iopermit.kernel.execution.classifier import Classifier, Point
from iopermit.kernel.execution.first_instruction import FirstInstruction
from iopermit.kernel.execution.host.allocations import ALLOCATIONS, may_sleep
from iopermit.kernel.execution.host.atomic import why_sleeping
from iopermit.kernel.execution.host.functions import ACCESSES, FREES, FUNCTIONS
from iopermit.kernel.execution.host.services import HostServices
from iopermit.kernel.execution.undefined import raise_if_undefined
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.kernel.cpu.emulator import Fault
    from iopermit.kernel.execution.guard import Outside
    from iopermit.kernel.execution.scheduling_points import SchedulingPoints
    from iopermit.kernel.state.guest_memory import GuestMemory

COUNT_MASK: Final = 0x7FFF_FFFF
"""Without PREEMPT_NEED_RESCHED, which is set while nobody wants to preempt."""
_JUNK: Final = 0xA5A5_0000_0000_0000
_JUNK_BYTE: Final = b"\xa5"


@dataclass
class TransitionEnd:
    """How a transition ended.

    Attributes:
        registers: of the stopped context; None if it returned.
        preemptible: whether it can be preempted where it stopped.
        result: what the called function returned.
        crash: set if the kernel crashed.
        foreign: whether it accessed what it should have nothing to do with.
        heap: whether it accessed the heap.
        tss: whether it accessed the TSS of a CPU.
    """

    registers: Registers | None = None
    preemptible: bool = False
    result: int = 0
    crash: Crash | None = None
    foreign: bool = False
    heap: bool = False
    tss: bool = False


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
        self.real_time = bool(self.layout["PREEMPT_RT"])
        self.accesses = Classifier(memory)
        self.services = HostServices(memory, self.accesses, self._crash, failures=failures)
        self._ending = TransitionEnd()
        self._skip = self._reads = self._writes = 0
        self.first = FirstInstruction(self.accesses, self.emulator)
        self.junk = False
        """Whether to put junk where nothing may be read: into dead registers, below the stack."""
        self.before_stop: Callable[[TransitionEnd], None] = lambda _: None
        """Reads what is needed from memory: the instruction at hand may still change it."""
        self.guard: Callable[[int], Outside | None] | None = None
        """Tells of a write that it goes where it should not."""
        self.sleeps = True
        """Whether a kernel that cannot be preempted gives the CPU up where it sleeps; it does not
        while single calls are looked at."""
        self.notices: set[str] = set()
        """Where writes went that may be something new."""
        self._liveness = Liveness(memory.emulator.image)
        self.executed: set[tuple[int, int]] = set()
        self._tss_hooked = self._interrupts_hooked = False
        self._heap_hooked = -8
        """The last word of heap objects behind their header that is watched."""
        self._began_preemptible = False
        self.emulator.on_host_call(self._host_call)
        self.emulator.on_access(self._accessed, self._ranges())
        self._watch_maps()
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
        most = max(points.shared, default=-8)
        if most >= self.header and most > self._heap_hooked:
            end = self.header + 8 if most == self.header else at.HEAP_STRIDE // 2
            start = max(self.header, self._heap_hooked + 8)
            self._heap_hooked = most if most == self.header else end
            slots = (at.HEAP + n * at.HEAP_STRIDE for n in range(self.memory.heap))
            self.emulator.on_access(self._accessed, [(a + start, a + end) for a in slots])

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

    def _watch_maps(self) -> None:
        """Note accesses to maps that may make points there: watching all of them takes long.

        A word that is written and written back looks as if nobody had written it.
        """
        maps = [self._tss_maps(cpu) for cpu in self._all_cpus()]
        self.emulator.on_access(self._tss_map_accessed, maps)
        if self.header:
            slots = (at.HEAP + n * at.HEAP_STRIDE for n in range(self.memory.heap))
            behind = [(a + self.header, a + at.HEAP_STRIDE // 2) for a in slots]
            self.emulator.on_access(self._map_written, behind, reads=False)

    def _tss_map_accessed(self, write: bool, address: int, _: int, __: int) -> None:  # noqa: FBT001 - Unicorn's
        self.accesses.touched_tss = True
        own = self.memory.gs_base(self.accesses.actor.cpu) == address - address % at.PER_CPU_STRIDE
        if not own or (not write and self.preempt and self.preemptible()):
            self.accesses.seen.tss_bitmap = True

    def _map_written(self, _: bool, address: int, size: int, __: int) -> None:  # noqa: FBT001 - Unicorn's
        self.accesses.note_written(address, size)

    # Running.

    def call(
        self, function: int, arguments: Iterable[int], stack: int, *, interrupts: bool
    ) -> TransitionEnd:
        """Call a function of the image on a stack, up to the next point."""
        flags = FLAGS | (INTERRUPTS if interrupts else 0)
        self._start(-1, preemptible=interrupts)
        registers = self.emulator.prepared(function, arguments, stack, flags)
        self.first.begin(registers)
        return self._run(registers)

    def resume(self, registers: Registers) -> TransitionEnd:
        """Go on with a stopped context up to the next point."""
        self._start(registers[RIP], preemptible=bool(registers[RFLAGS] & INTERRUPTS))
        self.first.begin(registers)
        return self._run(registers)

    def _run(self, registers: Registers) -> TransitionEnd:
        """Execute, with the same below the stack pointer every time: what is there is not read."""
        stack = registers[RSP]
        bottom = stack - stack % self.layout.stack_size
        self.memory.junk = _JUNK_BYTE if self.junk else b""
        if self.junk:
            registers = self._liveness.with_junk(registers, _JUNK)
        self.emulator.write(bottom, (self.memory.junk or b"\0") * (stack - bottom))
        return self._end(self.emulator.resume(registers))

    def _start(self, skip: int, *, preemptible: bool) -> None:
        self._ending = TransitionEnd()
        self.accesses.begin()
        self._began_preemptible = preemptible
        self._skip, self._reads, self._writes = skip, 0, 0

    def _end(self, fault: Fault | None) -> TransitionEnd:
        ending = self._ending
        if ending.crash is None and fault is not None:
            raise_if_undefined(self.emulator, fault)
            fault = self.first.fault(fault)
            ending.crash = crash_of(fault, self.memory.heap, self.accesses.heap.used)
        ending.foreign, ending.heap = self.accesses.foreign, self.accesses.touched_heap
        ending.tss = self.accesses.touched_tss
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

    def _stop(self, *, preemptible: bool, halfway: bool = False) -> None:
        """Stop before the instruction at hand; `halfway`: behind its read, before its write."""
        registers = self.first.halfway() if halfway else self.emulator.registers()
        self._ending.registers = self._kept(registers)
        self._ending.preemptible = preemptible
        self.before_stop(self._ending)
        self.emulator.stop()

    def _kept(self, registers: Registers) -> Registers:
        """Return what of the registers belongs to the state of the context that stops."""
        registers = self._liveness.clean(registers)
        if self.junk:
            # Junk that nothing has read or overwritten: what was dead before stays dead.
            registers = tuple(0 if r == _JUNK + n else r for n, r in enumerate(registers))
        return registers

    # Accesses.

    def _accessed(self, write: bool, address: int, size: int, value: int) -> None:  # noqa: FBT001 - Unicorn's
        if write and self._is_forbidden(address):
            return
        local, shared = self.accesses.classify(address, size, value, write=write)
        if not local and not shared:
            return
        rip = self.emulator.register(RIP)
        if rip == self._skip:
            # The access before which the context stopped: one read and one write of it.
            self._reads += not write
            self._writes += write
            once = self._reads <= 1 and self._writes <= 1
            if once or self.accesses.reads_twice(rip):
                if shared and self.memory.cpus > 1 and self.first.accesses(address, size, write):
                    # No interrupt comes in the middle of an instruction, only other CPUs do.
                    self._stop(preemptible=False, halfway=True)
                return
        self._skip = -1
        preemptible = self.preempt and self.preemptible()
        if local and self._began_preemptible and not self._interrupts_on():
            self.accesses.seen.interrupts = True
        if preemptible or (shared and self.memory.cpus > 1):
            self._stop(preemptible=preemptible)

    def _is_forbidden(self, address: int) -> bool:
        """Let the kernel crash by a write that destroys what belongs to others; or return False."""
        outside = self.guard(address) if self.guard is not None else None
        if outside is None:
            return False
        if not outside.crash:
            self.notices.add(outside.what)
            return False
        what = f"writes to {outside.what}, outside the subsystem's objects"
        self._crash(Crash(CrashKind.OUTSIDE, what, self.emulator.register(RIP)))
        return True

    # The host.

    def _host_call(self, called: str) -> None:
        if self._stops_before(called):
            return
        sleeping = why_sleeping(called, self.emulator.arguments(), real_time=self.real_time)
        if sleeping and not self.preemptible():
            what = f"{sleeping}, with preemption or interrupts off"
            self.services.crash(CrashKind.WARNING, what)
            return
        result = FUNCTIONS[called](self.services, self.emulator.arguments())
        if self._ending.crash is None:
            self.emulator.set_result(result)

    def _may_sleep(self, called: str) -> bool:
        return called in ALLOCATIONS and may_sleep(called, self.emulator.arguments())

    def _sleeps(self, called: str) -> bool:
        """Return whether a task is switched out here though the kernel cannot be preempted."""
        can_sleep = self.sleeps and not self.preempt
        return can_sleep and self._may_sleep(called) and self.preemptible()

    def _stops_before(self, called: str) -> bool:
        """Stop before a function of the host whose accesses are scheduling points, or a sleep."""
        rip = self.emulator.register(RIP)
        arguments = self.emulator.arguments()
        sleeps = self._sleeps(called)
        if called in FREES:
            slot, offset = divmod(arguments[0] - at.HEAP, at.HEAP_STRIDE)
            local = shared = not offset and self.accesses.free(slot, self.header)
        elif called in ACCESSES:
            points = [self._host_access(*one) for one in ACCESSES[called](arguments)]
            local, shared = any(p[0] for p in points), any(p[1] for p in points)
        elif sleeps:
            local = shared = False
        else:
            return False
        skipped, self._skip = rip == self._skip, -1
        if skipped or not (local or shared or sleeps):
            return False
        preemptible = sleeps or (self.preempt and self.preemptible())
        if preemptible or (shared and self.memory.cpus > 1):
            self._stop(preemptible=preemptible)
            return True
        return False

    def _host_access(self, address: int, size: int, write: bool) -> Point:  # noqa: FBT001 - a triple
        """Return whether an access of the host is a point, word by word."""
        if address >= at.HEAP:
            offset = (address - at.HEAP) % at.HEAP_STRIDE
            # As of code: the words of the map only where they can be points.
            watched = {w for w in self.accesses.points.shared if offset <= w < offset + size}
            words = watched | set(range(offset, min(offset + size, self.header), 8))
            places = [address - offset + word for word in sorted(words)]
        else:
            places = list(range(address, address + size, 8))
        points = [self.accesses.classify(place, 8, 0, write=write) for place in places]
        return any(p[0] for p in points), any(p[1] for p in points)

    def _crash(self, crash: Crash) -> None:
        """End the transition with a crash."""
        self._ending.crash = crash
        self.emulator.stop()
