"""Transitions of the reference mode: one instruction that accesses memory, and what follows."""

from __future__ import annotations

import pytest
from tests.support.kernel.reference import Observer, small
from tests.support.kernel.trees import VERSIONS

from iopermit.kernel.cpu.registers import RIP, RSP
from iopermit.kernel.execution.scheduling_points import SchedulingPoints
from iopermit.kernel.search.reference import ReferenceSearch
from iopermit.kernel.state.contents import TASK, name
from iopermit.kernel.state.state import State, TaskMode
from iopermit.system.events import Event
from iopermit.system.execution import CONTINUE, Action, action
from iopermit.system.scenario import Scenario

TWO_CPUS = Scenario(2, 1, 1, frozenset({Event.IOPERM}))
"""Every access is a scheduling point there, with preemption off too."""


def stops(search: ReferenceSearch) -> list[State]:
    """Return the states at which a call of ioperm() stops, and the one after it."""
    found, state = [], search.initial
    first = action(0, Event.IOPERM.name, first=0, end=1, turn_on=1)
    search.driver.kernel.executor.watch(SchedulingPoints(every_access=True))
    for one in (first, *[Action(0, CONTINUE)] * 1000):
        after = search.driver.execute(state, one)[0].state
        assert after is not None
        state = after
        found.append(state)
        task = state.tasks[0]
        assert task is not None
        if search.driver.kernel.task_meta(task).mode is not TaskMode.KERNEL:
            break
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_it_stops_before_each_instruction_that_accesses_memory(version: str) -> None:
    """A call stops as often as it executes such an instruction or a host function, no more.

    It stops once more inside each that reads memory and writes it back without a `lock` prefix.
    """
    search = ReferenceSearch(small(version, "repair").image, TWO_CPUS, 1)
    Observer(search)
    kernel = search.driver.kernel
    stopped = stops(search)
    executed: list[int] = []
    accesses: list[tuple[int, bool, int]] = []
    unlocked: set[int] = set()
    kernel.emulator.on_instruction(lambda address, _: executed.append(address))
    kernel.emulator.on_host_call(lambda _: executed.append(kernel.emulator.register(RIP)))

    def accessed(write: bool, address: int, _: int, __: int) -> None:
        number = len(executed)
        if write and (number, False, address) in accesses:
            locked = kernel.executor.accesses.is_locked(executed[-1])
            unlocked.update(() if locked else {number})
        accesses.append((number, write, address))

    kernel.emulator.on_access(accessed, [(0, 1 << 64)])
    kernel.emulator.uc.ctl_flush_tb()
    kernel.executor.watch(SchedulingPoints())
    search.driver.execute(search.initial, action(0, "ioperm", first=0, end=1, turn_on=1))
    assert len(stopped) == len({1, *(number for number, *_ in accesses)}) + len(unlocked)
    assert unlocked


def test_a_stopped_context_has_all_registers_and_the_whole_stack() -> None:
    """Its registers are those of the emulated CPU, and its stack reaches below RSP."""
    search = ReferenceSearch(small("6.1", "repair").image, TWO_CPUS, 1)
    Observer(search)
    memory, contents = search.driver.kernel.memory, search.driver.kernel.contents
    below = 0
    for state in stops(search)[:-1]:
        task = state.tasks[0]
        assert task is not None
        registers = memory.registers(task, name(TASK, 0))
        assert search.driver.kernel.task_meta(task).stack == memory.layout.stack_size
        used = memory.stack(0) + memory.layout.stack_size - registers[RSP]
        data = contents[task[0]].data
        start = len(data) - memory.layout.stack_size
        below += any(data[start : len(data) - used])
    assert below
