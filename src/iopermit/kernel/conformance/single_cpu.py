"""One emulated CPU that executes whole calls; the machine's memory is the only state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit import arch
from iopermit.engine.violation import task_name
from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.cpu.registers import RIP
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.execution.classifier import Actor, HeapUse
from iopermit.kernel.execution.entry import set_preempt_count
from iopermit.kernel.execution.functions import FUNCTIONS
from iopermit.kernel.execution.host.services import FAILS
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.state.guest_memory import BEHIND
from iopermit.kernel.state.xen import xen_guest
from iopermit.system.events import Event, all_events, hooks
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from iopermit.kernel.execution.executor import TransitionEnd
    from iopermit.kernel.image.linker import Image

TASKS: Final = 3
USER_CPL: Final = 3
"""The level at which user code runs: with an IOPL as high the map is not consulted."""
_MOST_IMAGE: Final = 0x1_0000 + 0x100
_LOW_LIMIT: Final = 0x67


class SingleCpu:
    """A CPU without preemption.

    Attributes:
        current: the slot of the task that runs.
        before: called before each call into the kernel, for whoever watches it.
        heap: the heap objects in use.
    """

    def __init__(self, image: Image) -> None:
        """Bring the machine up with all tasks, of which the first one runs."""
        events = all_events() - {Event.PREEMPT}
        driver, state = bring_up(image, Scenario(1, TASKS, 1, events))
        self.kernel, self.memory = driver.kernel, driver.kernel.memory
        self._executor = self.kernel.executor
        self._executor.sleeps = False
        self.memory.load(state)
        self.kernel.enter_cpu(0, self.kernel.cpu_meta(state, 0))
        self.heap = HeapUse({})
        self.current = 0
        self.before: Callable[[], None] = lambda: None
        self._flags = self.kernel.layout.task_flags
        self._xen = xen_guest(self.kernel.layout)
        self._plain_store = 0
        """An instruction that stored the running thread's flags without a lock."""
        places = [self.memory.task(slot) + self._flags for slot in range(TASKS)]
        self.kernel.emulator.on_access(self._stored_flags, [(p, p + 8) for p in places])
        self.kernel.emulator.uc.ctl_flush_tb()

    def call(
        self,
        hook: str,
        arguments: list[int],
        *,
        stack: int | None = None,
        involved: frozenset[int] = frozenset(),
        own: int | None = None,
        privileged: bool = True,
        fails: bool = False,
    ) -> TransitionEnd:
        """Call what plays the part of a hook.

        Args:
            hook: its name.
            arguments: the arguments.
            stack: where the stack begins; by default that of the current task.
            involved: other tasks that it is about.
            own: the task on whose behalf it runs; by default the current one.
            privileged: whether that has CAP_SYS_RAWIO.
            fails: whether the first allocation fails.

        Raises:
            BrokenRule: it crashes, writes behind the end of an object, or stores flags plainly.
        """
        function = FUNCTIONS[hook]
        slot = self.current if own is None else own
        accesses = self._executor.accesses
        accesses.actor = Actor(0, slot, involved, privileged)
        self.heap.options, self.heap.plan = [], [FAILS] if fails else []
        accesses.heap = self.heap
        self.before()
        stack = self.memory.registers_of(self.current) if stack is None else stack
        address = self.kernel.function(function.name)
        ending = self._executor.call(address, arguments, stack, interrupts=function.interrupts)
        if ending.crash is not None:
            where = self.kernel.name_of(ending.crash.address)
            message = f"{ending.crash.message} in {where}"
            raise BrokenRule("crash", message, task_name(self.current))
        self._check_canaries()
        self._check_stores()
        return ending

    def system_call(
        self,
        hook: str,
        arguments: tuple[int, ...],
        *,
        privileged: bool,
        locked: bool,
        fails: bool,
    ) -> TransitionEnd:
        """Let the current task make a system call, with arguments in its user registers.

        Raises:
            BrokenRule: as `call`; or it clears thread flags that do not concern it.
        """
        kernel = self.kernel
        regs = self.memory.registers_of(self.current)
        for field, value in zip(("di", "si", "dx"), arguments, strict=False):
            place = regs + kernel.layout[f"offsetof_pt_regs_{field}"]
            kernel.emulator.write(place, (value & (1 << 64) - 1).to_bytes(8, "little"))
        self._executor.services.locked_down = locked
        before = self.flags(self.current)
        ending = self.call(hook, [regs], privileged=privileged, fails=fails)
        self._executor.services.locked_down = False
        lost = before & ~self.flags(self.current) & ~(1 << kernel.layout["TIF_IO_BITMAP"])
        if lost:
            message = f"the call clears other flags of the thread than TIF_IO_BITMAP ({lost:#x})"
            raise BrokenRule("rule", message, task_name(self.current))
        return ending

    def switch(self, slot: int) -> None:
        """Switch to another task, which is about to return to user mode then."""
        set_preempt_count(self.kernel, 0, 1)
        idle = self.memory.registers_of(self.memory.idle(0))
        arguments = [self.memory.task(self.current), self.memory.task(slot)]
        involved = frozenset({self.current, slot})
        self.call(hooks.SWITCH_TO.name, arguments, stack=idle, involved=involved, own=-1)
        set_preempt_count(self.kernel, 0, 0)
        self.current = slot

    def lower_limit(self) -> None:
        """Let the task register cache the limit that a VM exit leaves."""
        emulator = self.kernel.emulator
        selector, base, _, attributes = emulator.task_register()
        tr = (selector, base, _LOW_LIMIT, attributes)
        emulator.enter_cpu(self.memory.gs_base(0), self.kernel.gdt(0), tr)

    def chosen(self) -> list[int]:
        """Return what the allocations of the last call got."""
        plan = self.heap.plan
        options = enumerate(self.heap.options)
        return [plan[n] if n < len(plan) else possible[0] for n, possible in options]

    def flags(self, slot: int) -> int:
        """Return the thread flags of a task."""
        place = self.memory.task(slot) + self._flags
        return int.from_bytes(self.kernel.emulator.read(place, 8), "little")

    def set_flags(self, slot: int, flags: int) -> None:
        """Set the thread flags of a task, as other parts of the kernel do."""
        place = self.memory.task(slot) + self._flags
        self.kernel.emulator.write(place, flags.to_bytes(8, "little"))

    def refers_to(self, slot: int, used: int) -> bool:
        """Return whether a task's structure has a pointer to a heap object."""
        size = self.kernel.layout.task_size
        pointer = (at.HEAP + used * at.HEAP_STRIDE).to_bytes(8, "little")
        return pointer in self.kernel.emulator.read(self.memory.task(slot), size)

    def allowed(self, width: int = 1) -> NDArray[np.bool_]:
        """Return for each port whether user code may access so many ports from there on.

        Raises:
            UnknownMap: the hypervisor consults a map that is not known.
        """
        kernel = self.kernel
        if self._xen is not None:
            start, linked = self.memory.gs_base(0), kernel.emulator.image
            area = kernel.emulator.read(start + linked.per_cpu_link, len(linked.per_cpu))
            return self._xen.allowed(area, linked.per_cpu_link, start, width)
        _, base, limit, _ = kernel.emulator.task_register()
        end = self.memory.gs_base(0) + kernel.emulator.image.per_cpu_link
        end += at.align(len(kernel.emulator.image.per_cpu), 8)
        image = kernel.emulator.read(base, min(_MOST_IMAGE, end - base))
        tss = arch.LoadedTss(arch.TssFormat.TSS64, image, limit)
        return arch.permitted_ports(
            width, cpl=USER_CPL, iopl=self.iopl, vm86=False, protected=True, tss=tss
        )

    @property
    def iopl(self) -> int:
        """The IOPL in the flags of the current task's user mode; no tree since 5.5 raises it."""
        place = (
            self.memory.registers_of(self.current) + self.kernel.layout["offsetof_pt_regs_flags"]
        )
        return int.from_bytes(self.kernel.emulator.read(place, 8), "little") >> 12 & 3

    # What calls must not do.

    def _stored_flags(self, write: bool, address: int, _: int, __: int) -> None:  # noqa: FBT001 - Unicorn's
        accesses = self._executor.accesses
        slot = (address - at.TASK) // at.TASK_STRIDE
        rip = self.kernel.emulator.register(RIP)
        if write and slot == accesses.actor.slot and not accesses.is_locked(rip):
            self._plain_store = rip

    def _check_stores(self) -> None:
        if self._plain_store:
            where = self.kernel.name_of(self._plain_store)
            message = (
                f"{where} stores the flags of the running thread by an instruction without lock: "
                "a flag that another CPU sets at that time is lost"
            )
            raise BrokenRule("rule", message, task_name(self.current))

    def _check_canaries(self) -> None:
        """Look behind the end of each object, up to the end of its last page."""
        emulator = self.kernel.emulator
        for slot, size in self.heap.used.items():
            start = at.HEAP + slot * at.HEAP_STRIDE + size
            if emulator.read(start, at.align(start) - start).strip(BEHIND):
                message = f"the kernel writes behind the end of an object of {size} bytes"
                raise BrokenRule("rule", message)
