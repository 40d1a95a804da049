"""Watches the C lines that a transition executes, and the TSS after each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from iopermit import arch
from iopermit.engine.trace import SelectedMap, TssState
from iopermit.kernel.execution.entry import VM_EXIT_LIMIT
from iopermit.kernel.state.contents import CPU, address_of, name
from iopermit.kernel.state.xen import NOTED, xen_guest
from iopermit.system.site import Site

if TYPE_CHECKING:
    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.image.lines import Lines
    from iopermit.kernel.state.state import State

Report = Callable[[Site, bool, tuple[TssState, ...]], None]
_BRACES = ("", "{", "}")
_BASE = 102
"""Offset of the I/O map base in the TSS (SDM vol. 3)."""


class TssWatch:
    """Tells of each line of a transition once, and again when it changes the TSS."""

    def __init__(
        self,
        kernel: EmulatedKernel,
        lines: Lines,
        report: Report,
        changed: frozenset[tuple[str, int]] = frozenset(),
    ) -> None:
        """Watch what `kernel` executes.

        Args:
            kernel: the machine; its code is watched from now on.
            lines: the line tables.
            report: gets each line, whether it changed the TSS, and the TSSs after it.
            changed: file and number of lines that are told even if all their code is that of a
                function that is inlined there.
        """
        self._changed, self._calls = changed, dict[int, list[Site]]()
        self.kernel, self.lines, self._report = kernel, lines, report
        self._xen = xen_guest(kernel.layout)
        self._cpu = 0
        self._active = False
        self._site: Site | None = None
        self._seen: set[Site] = set()
        self._memory = b""
        self._states: tuple[TssState, ...] = ()
        self._sites: dict[int, Site | None] = {}
        self._instructions = 0
        """Executed since the line was begun."""
        kernel.emulator.on_instruction(self._instruction)

    def begin(self, state: State, cpu: int) -> None:
        """Begin with a transition of a CPU."""
        self._states = self.states(state)
        self._cpu, self._active, self._site, self._memory = cpu, True, None, b""
        self._seen.clear()

    def begin_now(self, cpu: int) -> None:
        """Begin with code that starts with what is in memory; there is no other CPU."""
        self._cpu, self._active, self._site, self._memory = cpu, True, None, b""
        self._states = (self.now(cpu),)
        self._seen.clear()

    def now(self, cpu: int) -> TssState:
        """Return the TSS of a CPU as it is in memory."""
        self._cpu = cpu
        return self._state_of(self._read())

    def end(self, *, stopped: bool) -> None:
        """End with the transition; if it stopped, the last instruction was not executed."""
        if stopped and self._instructions == 1:
            self._site = None
        self._finish_line()
        self._active = False

    def _instruction(self, address: int, _: int) -> None:
        if not self._active:
            return
        if address not in self._sites:
            found = self.lines.site(address)
            # Entering and leaving a function is nothing that C has a statement for.
            self._sites[address] = None if found and found.text in _BRACES else found
        site = self._sites[address]
        if site is None or site == self._site:
            self._instructions += 1
            return
        self._finish_line()
        self._tell_calls(address)
        self._site, self._instructions = site, 1

    def _tell_calls(self, address: int) -> None:
        """Tell of the changed lines at which the function is inlined that an instruction is of."""
        if address not in self._calls:
            self._calls[address] = self.lines.calls(address, self._changed)
        for call in self._calls[address]:
            if call not in self._seen:
                self._seen.add(call)
                self._report(call, False, self._states)  # noqa: FBT003 - a callback of three

    def _finish_line(self) -> None:
        memory = self._read()
        changed = bool(self._memory) and memory != self._memory
        self._memory = memory
        if changed:
            states = list(self._states)
            states[self._cpu] = self._state_of(memory)
            self._states = tuple(states)
        if self._site is not None and (changed or self._site not in self._seen):
            self._seen.add(self._site)
            self._report(self._site, changed, self._states)

    def _read(self) -> bytes:
        layout, memory = self.kernel.layout, self.kernel.memory
        start = memory.gs_base(self._cpu) + layout.tss
        size = layout.tss_end - layout.tss
        limit = self.kernel.emulator.task_register()[2]
        data = bytearray(self.kernel.emulator.read(start, size))
        # What the kernel keeps between the hardware's part and the map is not looked at.
        first = layout.tss_bitmap - layout.tss
        data[arch.TSS_SIZE : first] = bytes(first - arch.TSS_SIZE)
        if layout.xen_map is not None:
            noted = memory.gs_base(self._cpu) + layout.xen_map
            area = self.kernel.emulator.read(noted, NOTED)
            self._put_told(data, self._cpu, area, layout.xen_map)
        return bytes(data) + limit.to_bytes(4, "little")

    def states(self, state: State) -> tuple[TssState, ...]:
        """Return the TSS of every CPU in a state."""
        kernel, layout = self.kernel, self.kernel.layout
        result = []
        for cpu, component in enumerate(state.cpus):
            data = kernel.contents.data_of(component, name(CPU, cpu), address_of)
            start = layout.tss - kernel.emulator.image.per_cpu_link
            limit = kernel.cpu_meta(state, cpu).limit
            size = layout.tss_end - layout.tss
            tss = bytearray(data[start : start + size])
            self._put_told(tss, cpu, data, kernel.emulator.image.per_cpu_link)
            result.append(self._state_of(bytes(tss) + limit.to_bytes(4, "little")))
        return tuple(result)

    def _put_told(self, tss: bytearray, cpu: int, area: bytes, link: int) -> None:
        """Let the base of a Xen PV guest's TSS be the one of the map that the hypervisor reads.

        Args:
            tss: the bytes of the TSS.
            cpu: whose TSS it is.
            area: bytes of the CPU's area.
            link: the link address of the first of them.
        """
        if self._xen is not None:
            told = self._xen.told(area, link, self.kernel.memory.gs_base(cpu))
            tss[_BASE : _BASE + 2] = told.selected.to_bytes(2, "little")

    def _state_of(self, memory: bytes) -> TssState:
        """Return the state of a TSS from its bytes with the cached limit behind them."""
        layout = self.kernel.layout
        limit = int.from_bytes(memory[-4:], "little")
        base = int.from_bytes(memory[_BASE : _BASE + 2], "little")
        start = layout.tss_bitmap - layout.tss
        bits = np.frombuffer(memory, np.uint8, arch.PORT_COUNT // 8, start)
        clear = np.unpackbits(~bits, bitorder="little").view(np.bool_)
        mapall = layout.get("offsetof_tss_mapall")
        tss_offset = layout["offsetof_tss_x86_tss"]
        selected = {start: SelectedMap.VALID}
        if mapall is not None:
            selected[mapall - tss_offset] = SelectedMap.ALL_PORTS
        beyond = base >= layout.limit
        otherwise = SelectedMap.PAST_LIMIT if beyond else SelectedMap.OTHER
        return TssState(
            selected.get(base, otherwise), tuple(arch.as_ranges(clear)), limit == VM_EXIT_LIMIT
        )
