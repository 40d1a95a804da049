"""The emulated kernel: its machine, and what the states mean that it is put into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.execution.guard import Guard
from iopermit.kernel.state.grants import GrantTable
from iopermit.kernel.state.state import CpuMeta, State, TaskMeta, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.execution.executor import Executor
    from iopermit.kernel.state.contents import Component
    from iopermit.system.bitmap import PortRange


class EmulatedKernel:
    """A linked tree in the memory of an emulated machine; it knows what components stand for."""

    def __init__(self, executor: Executor, ports: dict[tuple[int, int], PortRange]) -> None:
        """Give the machine its kernel.

        Args:
            executor: executes kernel code up to the next scheduling point.
            ports: the real ports of ioperm's ranges of scenario longs.
        """
        self.executor, self.memory, self.ports = executor, executor.memory, ports
        self.emulator, self.layout = executor.emulator, executor.layout
        self.contents, self.grants = self.memory.contents, GrantTable()
        self.guard = Guard(self.memory)
        image = self.emulator.image
        self._gdt = image.address("gdt_page")
        self._gdt_limit = 8 * self.layout["GDT_ENTRIES"] - 1

    def share(self, other: EmulatedKernel) -> None:
        """Let the other one's states be states of this kernel: they have the same numbers."""
        self.memory.contents = self.contents = other.contents
        self.grants = other.grants
        self.executor.accesses.seen = other.executor.accesses.seen
        self.executor.executed = other.executor.executed

    def function(self, wanted: str) -> int:
        """Return the address of a function of the tree or the shim.

        Raises:
            KernelTreeError: there is none of that name.
        """
        return self.emulator.image.address(wanted)

    def ports_of(self, first: int, end: int) -> PortRange:
        """Return the real ports of scenario longs."""
        return self.ports[first, end]

    def name_of(self, address: int) -> str:
        """Return the function that an instruction is in, for messages."""
        function = self.emulator.image.function_at(address)
        return f"{function.name}()" if function is not None else f"the code at {address:#x}"

    def why_torn(self) -> str:
        """Return which code was executed as one access that is two; or nothing."""
        torn = self.executor.accesses.seen.torn
        if not torn:
            return ""
        return (
            f"{self.name_of(torn)} accesses two places that another CPU may access by one "
            "instruction without lock: another CPU's store may come in between"
        )

    def enter_cpu(self, cpu: int, meta: CpuMeta) -> None:
        """Let the emulated CPU be one of the kernel's."""
        base = self.memory.gs_base(cpu)
        selector, tss, attributes = meta.tr
        tr = (selector, base + tss, meta.limit, attributes)
        self.emulator.enter_cpu(base, self.gdt(cpu), tr)

    def gdt(self, cpu: int) -> tuple[int, int]:
        """Return address and limit of a CPU's GDT."""
        return self.memory.gs_base(cpu) + self._gdt, self._gdt_limit

    # What components of a state stand for.

    def cpu_meta(self, state: State, cpu: int) -> CpuMeta:
        """Return what is known of a CPU."""
        meta = self.contents[state.cpus[cpu][0]].meta
        assert isinstance(meta, CpuMeta)  # what the CPU's components have
        return meta

    def task_meta(self, task: Component) -> TaskMeta:
        """Return what is known of a task."""
        meta = self.contents[task[0]].meta
        assert isinstance(meta, TaskMeta)  # what the tasks' components have
        return meta

    @staticmethod
    def current(state: State, cpu: int) -> int | None:
        """Return the slot of a CPU's current task; None: its idle task."""
        return slot_of(state.cpus[cpu][1][0])
