"""A schedule is forced by stops in the kernel, and judged at the IN of a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from tests.support.reproduce.counterexamples import counterexample
from tests.support.reproduce.memory import LAYOUT, MemoryDebugger, registers

from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.reproduce.debugger.kernel import StoppedKernel
from iopermit.reproduce.debugger.symbols import SymbolTable
from iopermit.reproduce.forcing import Forcer
from iopermit.reproduce.schedule import Schedule, schedule_of

if TYPE_CHECKING:
    from iopermit.reproduce.debugger.remote import Registers, RemoteDebugger

IOPERM, SWITCHED, IN_BYTE, TASK, SAVED, TSS = 0x2000, 0x2100, 0x3000, 0x5000, 0x6000, 0x7000
SYMBOLS = {
    "current_task": 0x40,
    "__preempt_count": 0x48,
    "jiffies_64": 0x9000,
    "__x64_sys_ioperm": IOPERM,
    "finish_task_switch": SWITCHED,
}


@dataclass
class StoppingMachine(MemoryDebugger):
    """A machine whose stops are written down: an instruction, and the task that is before it."""

    stops: list[tuple[int, str]] = field(default_factory=list)

    def go_on(self) -> int:
        """Run up to the next stop that is written down."""
        self.rip, name = self.stops.pop(0)
        self.task(TASK, name)
        return 0

    def registers(self, cpu: int | None = None) -> Registers:
        """Return the registers; the arguments of a call are saved where RDI points."""
        return registers(rip=self.rip, rdi=SAVED, cpu=cpu or 0, user_mode=self.rip == IN_BYTE)

    def monitor(self, command: str) -> str:
        """Return the task register."""
        assert command == "info registers -a"
        return f"CPU#0\nTR =0040 {TSS:016x} {103:08x} 00008900\n"


def one_call() -> Schedule:
    """Return the schedule of a single call: ioperm() of 2.4.20 opens more than it was asked for."""
    verdict = counterexample("linux-2.4.20", "ioperm", tasks=1)
    assert verdict.violation is not None
    return schedule_of(verdict.trace or (), verdict.violation)


@pytest.mark.parametrize("passed_by", ["", "kworker/0:1"])
def test_the_first_attempt_is_judged(passed_by: str) -> None:
    """The TSS is then as the counterexample begins; another task that comes by is passed over."""
    schedule = one_call()
    machine = StoppingMachine(stops=[(IOPERM, "A.0"), (IN_BYTE, "A.0"), (IOPERM, "A.1")])
    if passed_by:
        machine.stops.insert(0, (IOPERM, passed_by))
    machine.write_number(0x10000 + SYMBOLS["current_task"], TASK)
    for offset, number in zip(LAYOUT.arguments, schedule.commands[0].arguments, strict=True):
        machine.write_number(SAVED + offset, number)
    kernel = StoppedKernel(cast("RemoteDebugger", machine), LAYOUT, SymbolTable(SYMBOLS))
    forcer = Forcer(kernel, schedule, IN_BYTE)
    assert forcer.rehearse() is None
    attempt = forcer.force(None, PreemptionPoint.WINDOW)
    assert attempt.number == 0
    assert attempt.observations[1].place == "IN of the task"
    assert machine.stops == [(IOPERM, "A.1")]
    assert not forcer.stops.addresses
