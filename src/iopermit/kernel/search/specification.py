"""Checks the specification in a state: what the CPU allows each task, and what it was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit import arch
from iopermit.kernel.state.contents import CPU, HEAP, NAMES, address_of, kind_of, name
from iopermit.kernel.state.state import TaskMode
from iopermit.kernel.state.xen import xen_guest
from iopermit.system.specification import Finding, Kind, Ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.state.state import State

_MOST_IMAGE: Final = 0x1_0000 + 0x100
"""Bytes behind the TSS base that an I/O map base of 16 bits and a map can reach."""


class SpecificationCheck:
    """Remembers what it decided about equal TSSs and grants."""

    def __init__(self, kernel: EmulatedKernel) -> None:
        """Check states of `kernel`."""
        self.kernel = kernel
        self._known: dict[tuple[int, int, int], tuple[Kind, Ranges, Ranges, Ranges] | None] = {}
        self._iopl: dict[int, int] = {}
        self._xen = xen_guest(kernel.layout)

    def finding(self, state: State) -> Finding | None:
        """Return what is wrong in a state, or None.

        Raises:
            UnknownMap: the hypervisor consults a map that is not known.
        """
        for cpu in range(len(state.cpus)):
            found = self._on_cpu(state, cpu)
            if found is not None:
                return found
        return self._garbage(state)

    def _on_cpu(self, state: State, cpu: int) -> Finding | None:
        slot = self.kernel.current(state, cpu)
        if slot is None:
            return None
        task = state.tasks[slot]
        assert task is not None  # it is a task of the switch
        meta = self.kernel.task_meta(task)
        if meta.mode is not TaskMode.USER:
            return None
        iopl = self._iopl_of(task[0])
        key = (state.cpus[cpu][0], meta.grants, iopl)
        if key not in self._known:
            self._known[key] = self._compare(state, cpu, meta.grants, iopl)
        known = self._known[key]
        if known is None:
            return None
        kind, ports, allowed, granted = known
        return Finding(kind, slot, cpu, ports, allowed, granted)

    def _compare(
        self, state: State, cpu: int, grants: int, iopl: int
    ) -> tuple[Kind, Ranges, Ranges, Ranges] | None:
        allowed = self.allowed(state, cpu, iopl)
        granted = self.kernel.grants.grants(grants).allowed
        leaked, lost = allowed & ~granted, granted & ~allowed
        if np.any(leaked):
            return "leak", _ranges(leaked), _ranges(allowed), _ranges(granted)
        if np.any(lost):
            return "loss", _ranges(lost), _ranges(allowed), _ranges(granted)
        return None

    def allowed(self, state: State, cpu: int, iopl: int) -> NDArray[np.bool_]:
        """Return for each port whether user code on a CPU may use it.

        The processor judges that, for a Xen PV guest the hypervisor.

        Raises:
            UnknownMap: the hypervisor consults a map that is not known.
        """
        if self._xen is not None:
            link, start = self.kernel.emulator.image.per_cpu_link, self.kernel.memory.gs_base(cpu)
            return self._xen.allowed(self._area(state, cpu), link, start, 1)
        return arch.permitted_ports(
            1, cpl=3, iopl=iopl, vm86=False, protected=True, tss=self.tss(state, cpu)
        )

    def tss(self, state: State, cpu: int) -> arch.LoadedTss:
        """Return the TSS of a CPU, in the bytes of its memory, with the cached limit."""
        meta = self.kernel.cpu_meta(state, cpu)
        start = meta.tr[1] - self.kernel.emulator.image.per_cpu_link
        image = self._area(state, cpu)[start : start + _MOST_IMAGE]
        return arch.LoadedTss(arch.TssFormat.TSS64, image, meta.limit)

    def _area(self, state: State, cpu: int) -> bytes:
        """Return a CPU's area, from link address `per_cpu_link` on, with what follows in states."""
        return self.kernel.contents.data_of(state.cpus[cpu], name(CPU, cpu), address_of)

    def _iopl_of(self, content: int) -> int:
        """Return the IOPL in the flags with which a task executes user code."""
        if content not in self._iopl:
            start = (self.kernel.layout.task_size + 7) & ~7
            data = self.kernel.contents[content].data
            self._iopl[content] = int.from_bytes(data[start : start + 8], "little") >> 12 & 3
        return self._iopl[content]

    @staticmethod
    def _garbage(state: State) -> Finding | None:
        used = {slot for slot, component in enumerate(state.heap) if component is not None}
        if not used:
            return None
        for component in state.components():
            for named in component[1]:
                if kind_of(named) == HEAP:
                    used.discard(named % NAMES)
        return Finding("garbage") if used else None


def _ranges(ports: NDArray[np.bool_]) -> Ranges:
    return tuple(arch.as_ranges(ports))
