"""Counts what a tree's own code costs on its hot paths: instructions, bytes read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.loading import link_objects
from iopermit.kernel.state.state import TaskMode
from iopermit.system.bitmap import PORTS, PortRange
from iopermit.system.events import Event, all_events
from iopermit.system.execution import CONTINUE, Action, action
from iopermit.system.running.cost import COLUMNS, PATHS
from iopermit.system.running.counting import Cost
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.kernel.build.builder import BuiltTree
    from iopermit.kernel.image.linker import Image

_FIRST, _SECOND, _ORDINARY, _CHILD = range(4)
_PORT: Final = (PORTS, PORTS + 1)
"""The key of the measured port among the driver's ranges; no range of longs has it."""
_NO_PORT: Final = (0, 0)
_LTR: Final = re.compile(
    rb"[\x66\x40-\x4f]*\x0f\x00[\x18-\x1f\x58-\x5f\x98-\x9f\xd8-\xdf]", re.DOTALL
)
"""LTR: 0F 00 /3, behind prefixes (SDM vol. 2, "LTR")."""
_LONGEST: Final = 15
"""Bytes of the longest instruction."""


@dataclass(frozen=True)
class KernelCost(Cost):
    """What kernel code did; the fields of `Cost` as for designs."""

    instructions: int = 0
    """Instructions retired; a string instruction with a repeat prefix is one."""
    bytes_read: int = 0
    """Bytes that they read, anywhere."""
    bytes_written: int = 0
    """Bytes that they wrote, anywhere."""

    def __add__(self, other: Cost) -> KernelCost:
        """Return both together."""
        names = [field.name for field in fields(self)]
        return KernelCost(**{n: getattr(self, n) + getattr(other, n, 0) for n in names})


KernelCell = KernelCost | str
"""What was counted, or one word that says why it cannot be."""

KernelCosts = dict[str, dict[str, KernelCell]]
"""Cells by column and path."""


class _Crashed(Exception):  # noqa: N818 - the result of a measurement
    """The kernel crashes on the way."""


def costs_of_tree(built: BuiltTree) -> KernelCosts:
    """Count all paths of a built tree, in every column of `system.cost`.

    A cell is "crash" if the kernel crashes on the way, "-" if there is no such path.

    Raises:
        KernelTreeError: The objects cannot be linked, or need what nobody defines.
    """
    image = link_objects(built)
    return {name: _column(image, port) for name, port in COLUMNS.items()}


def _column(image: Image, port: int | None) -> dict[str, KernelCell]:
    cells: dict[str, KernelCell] = dict.fromkeys(PATHS, "-")
    for names, measure in _MEASUREMENTS.items():
        if port is None and measure in (_ioperm_first, _ioperm_again):
            continue
        try:
            cells |= dict(zip(names, measure(_Bench(image, port)), strict=True))
        except _Crashed:
            cells |= dict.fromkeys(names, "crash")
    return cells


class _Meter:
    """Counts the instructions of an emulator, and their accesses to memory."""

    def __init__(self, bench: _Bench) -> None:
        kernel = bench.driver.kernel
        emulator, self.layout = kernel.emulator, kernel.layout
        self.emulator = emulator
        self.gs_base = kernel.memory.gs_base(0)
        self.header = self.layout.get("offsetof_io_bitmap_bitmap") or 0
        self.base = self.gs_base + self.layout.tss - self.layout["offsetof_tss_x86_tss"]
        self.base += self.layout["offsetof_tss_io_bitmap_base"]
        self.map = range(self.gs_base + self.layout.tss_bitmap, self.gs_base + self.layout.tss_end)
        self.counts: dict[str, int] = {}
        self._last, self._is_ltr = 0, dict[int, bool]()
        emulator.on_instruction(self._instruction)
        emulator.on_access(self._access, [(0, 1 << 32)])
        # Code that was translated before does not call them.
        emulator.uc.ctl_flush_tb()

    def read(self) -> KernelCost:
        """Return what was counted since the last time."""
        counts, self.counts, self._last = self.counts, {}, 0
        return KernelCost(**counts)

    def _add(self, name: str, number: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def _instruction(self, address: int, size: int) -> None:
        # A repeated string instruction comes once for each repetition.
        if address == self._last:
            return
        self._last = address
        self._add("instructions", 1)
        if address not in self._is_ltr:
            # The size of an instruction that cannot be decoded (UD2) is a huge number.
            code = self.emulator.read(address, min(size, _LONGEST))
            self._is_ltr[address] = bool(_LTR.match(code))
        if self._is_ltr[address]:
            self._add("task_register_loads", 1)

    def _access(self, write: bool, address: int, size: int, _: int) -> None:  # noqa: FBT001 - Unicorn's
        self._add("bytes_written" if write else "bytes_read", size)
        if write and address == self.base:
            self._add("base_stores", 1)
        elif write and address in self.map:
            self._add("map_written", size)
        elif not write and self._in_a_map(address):
            self._add("map_read", size)

    def _in_a_map(self, address: int) -> bool:
        """Return whether an address is in the map of a heap object."""
        return address >= at.HEAP and (address - at.HEAP) % at.HEAP_STRIDE >= self.header


class _Bench:
    """One CPU with two map users and an ordinary task, as `CostBench` has for designs."""

    def __init__(self, image: Image, port: int | None) -> None:
        scenario = Scenario(
            cpus=1, tasks=4, events=all_events() - {Event.PREEMPT, Event.ALLOCATION_FAILS}
        )
        self.driver, self.state = bring_up(image, scenario)
        self.driver.kernel.executor.sleeps = False
        self.port = port
        if port is not None:
            self.driver.kernel.ports[_PORT] = PortRange(port, 1)
        self.meter = _Meter(self)
        # Make room for a child.
        self.run(_CHILD)
        self.do(Event.EXIT.name)
        self.run(_FIRST)

    def steady(self) -> None:
        """Let both map users open their port and all tasks run in turn; the first runs last."""
        for task in (_FIRST, _SECOND):
            self.run(task)
            self.open_port()
        for task in (_ORDINARY, _FIRST, _SECOND, _ORDINARY, _SECOND, _FIRST):
            self.run(task)

    def open_port(self) -> None:
        """Let the current task open its port, and return to user mode."""
        if self.port is not None:
            self.ioperm(_PORT)
            self.back()

    def run(self, task: int) -> None:
        """Switch to a task unless it runs, and let it return to user mode."""
        if self.driver.kernel.current(self.state, 0) != task:
            self.switch(task)
            self.back()
        elif self._mode() is TaskMode.RETURN:
            self.back()

    def switch(self, task: int) -> KernelCost:
        """Switch to a task."""
        return self.do(Event.SWITCH.name, following=task)

    def back(self) -> KernelCost:
        """Let the current task return to user mode."""
        return self.do(CONTINUE)

    def ioperm(self, ports: tuple[int, int]) -> KernelCost:
        """Let the current task open ports."""
        return self.do(Event.IOPERM.name, first=ports[0], end=ports[1], turn_on=1)

    def do(self, event: str, **arguments: int) -> KernelCost:
        """Let an event happen on the CPU, and return what it costs."""
        return self._execute(action(0, event, **arguments))

    def _execute(self, event: Action) -> KernelCost:
        self.meter.read()
        outcome, _ = self.driver.execute_once(self.state, event, ())
        if outcome.state is None:
            raise _Crashed
        self.state = outcome.state
        return self.meter.read()

    def _mode(self) -> TaskMode | None:
        current = self.driver.kernel.current(self.state, 0)
        task = None if current is None else self.state.tasks[current]
        return None if task is None else self.driver.kernel.task_meta(task).mode


def _switches(bench: _Bench) -> list[KernelCost]:
    bench.steady()
    out = bench.switch(_ORDINARY) + bench.back()
    return [bench.switch(_FIRST), bench.back(), out]


def _alternation(bench: _Bench) -> list[KernelCost]:
    bench.steady()
    return [bench.switch(_SECOND), bench.back()]


def _system_call(bench: _Bench) -> list[KernelCost]:
    bench.steady()
    # Refused with EINVAL before it touches anything: a system call with no work of its own.
    bench.ioperm(_NO_PORT)
    return [bench.back()]


def _ioperm_first(bench: _Bench) -> list[KernelCost]:
    bench.run(_SECOND)
    bench.open_port()
    bench.run(_ORDINARY)
    bench.run(_FIRST)
    return [bench.ioperm(_PORT), bench.back()]


def _ioperm_again(bench: _Bench) -> list[KernelCost]:
    bench.steady()
    return [bench.ioperm(_PORT), bench.back()]


def _fork(bench: _Bench) -> list[KernelCost]:
    bench.steady()
    return [bench.do(Event.FORK.name, child=_CHILD)]


def _after_vm_exit(bench: _Bench) -> list[KernelCost]:
    bench.steady()
    bench.run(_ORDINARY)
    bench.do(Event.VM_EXIT.name)
    bench.back()
    return [bench.switch(_FIRST) + bench.back()]


_MEASUREMENTS: Final[Mapping[tuple[str, ...], Callable[[_Bench], list[KernelCost]]]] = {
    ("switch-in", "switch-in, user", "switch-out"): _switches,
    ("alternate", "alternate, user"): _alternation,
    ("system call, user",): _system_call,
    ("ioperm first", "ioperm first, user"): _ioperm_first,
    ("ioperm again", "ioperm again, user"): _ioperm_again,
    ("fork",): _fork,
    ("after VM exit",): _after_vm_exit,
}
"""What each measurement tells."""
