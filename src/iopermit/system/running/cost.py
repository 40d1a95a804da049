"""Counts what a design does to the TSS on its hot paths, by running it at full size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

from iopermit.system.bitmap import PORTS, PortRange
from iopermit.system.concretion import NO_PORTS, exact
from iopermit.system.crash import KernelCrash
from iopermit.system.design import Design
from iopermit.system.events.hooks import GENERAL_PROTECTION, VM_EXIT
from iopermit.system.execution import Thread
from iopermit.system.running.counting import Cost, CountingSystem
from iopermit.system.running.endless import EndlessHookError
from iopermit.system.running.runner import Runner
from iopermit.system.scenario import Scenario
from iopermit.system.specification import allowed_ports

COLUMNS: Final[Mapping[str, int | None]] = {
    "no ioperm user": None,
    "port 0x80": 0x80,
    "port 65535": PORTS - 1,
}
"""The port that both map users open: the columns of the measurement of 2004 on the kernel list
(20040821135516.GA3872@elte.hu)."""

PATHS: Final[Mapping[str, str]] = {
    "switch-in": "ordinary task to map user, whose map was the last one used",
    "switch-in, user": "... its return to user mode",
    "alternate": "map user to the other map user",
    "alternate, user": "... its return to user mode",
    "switch-out": "map user to ordinary task, with its return to user mode",
    "system call, user": "return to user mode after any other system call of a map user",
    "ioperm first": "a task's first ioperm(), after another map user ran",
    "ioperm first, user": "... its return to user mode",
    "ioperm again": "the same ioperm() of a map user again",
    "ioperm again, user": "... its return to user mode",
    "first access": "#GP handler at the first port access after the switch from the other user",
    "fork": "fork() of a map user",
    "after VM exit": "switch-in after a VM exit of an ordinary task, up to user mode",
}
"""What is counted, and its meaning. The state before it is steady: every task has run."""

Cell = Cost | str
"""What was counted, or one word that says why it cannot be."""

Costs = dict[str, dict[str, Cell]]
"""Cells by column and path."""

_FIRST, _SECOND, _ORDINARY, _CHILD = range(4)


def costs_of(design: type[Design]) -> Costs:
    """Count all paths of a design, in every column.

    A cell is "crash" if the kernel crashes on the way, "hangs" if a hook does not end on it,
    "EINVAL" if the map has no such port, "-" if there is no such path.
    """
    return {name: _column(design, port) for name, port in COLUMNS.items()}


def _column(design: type[Design], port: int | None) -> dict[str, Cell]:
    cells: dict[str, Cell] = dict.fromkeys(PATHS, "-")
    if port is not None and port >= design.layout.map_ports:
        return dict.fromkeys(PATHS, "EINVAL")
    for path in _MEASUREMENTS:
        if port is None and path in (_ioperm_first, _ioperm_again, _first_access):
            continue
        try:
            cells |= path(CostBench(design, port))
        except KernelCrash:
            cells |= dict.fromkeys(_ROWS[path], "crash")
        except EndlessHookError:
            cells |= dict.fromkeys(_ROWS[path], "hangs")
    return cells


class CostBench:
    """One CPU with two map users and an ordinary task; the costs of what they do."""

    def __init__(self, design: type[Design], port: int | None) -> None:
        """Start the tasks; none of them has used ports yet.

        Args:
            design: the design.
            port: what the map users open; None makes them ordinary tasks too.
        """
        scenario = Scenario(cpus=1, tasks=4)
        self.system = CountingSystem(design, scenario, exact(design.layout, 2))
        self.runner = Runner(self.system)
        self.ports = None if port is None else PortRange(port, 1)
        # Make room for a child.
        self.run(_CHILD)
        self.runner.exit(_CHILD)
        self.run(_FIRST)

    def steady(self) -> None:
        """Let both map users open their port and all tasks run in turn; the first runs last."""
        for task in (_FIRST, _SECOND):
            self.run(task)
            self.open_port(task)
        for task in (_ORDINARY, _FIRST, _SECOND, _ORDINARY, _SECOND, _FIRST):
            self.run(task)

    def open_port(self, task: int) -> None:
        """Let the current task open its port and use it."""
        if self.ports is not None:
            self.runner.ioperm(task, self.ports, turn_on=True)
            self.runner.return_to_user(task)
            self.access(task)

    def run(self, task: int) -> None:
        """Switch to a task, unless it runs, and let it use its port."""
        if self.current is not self.system.threads[task]:
            self.runner.switch(0, task)
        self.runner.return_to_user(task)
        self.access(task)

    def access(self, task: int) -> None:
        """Let the current task use its port if it has one; the #GP handler may load the map."""
        thread = self.system.threads[task]
        processor = self.system.processors[0]
        if self.ports is None or not thread.grants.allowed[self.ports.first]:
            return
        if not allowed_ports(self.system, processor, thread)[self.ports.first]:
            self.runner.general_protection(task)
            self.runner.return_to_user(task)

    @property
    def current(self) -> Thread:
        """The task on the CPU."""
        return self.system.current(self.system.processors[0])

    def count(self, action: Callable[[], object]) -> Cost:
        """Return what an action costs."""
        return self.system.count(action)

    def switch(self, task: int) -> Cost:
        """Return what a switch costs."""
        return self.count(functools.partial(self.runner.switch, 0, task))

    def back(self, task: int) -> Cost:
        """Return what the way to user mode costs."""
        return self.count(functools.partial(self.runner.return_to_user, task))


def _switches(bench: CostBench) -> dict[str, Cell]:
    bench.steady()
    out = bench.switch(_ORDINARY) + bench.back(_ORDINARY)
    into, back = bench.switch(_FIRST), bench.back(_FIRST)
    return {"switch-out": out, "switch-in": into, "switch-in, user": back}


def _alternation(bench: CostBench) -> dict[str, Cell]:
    bench.steady()
    return {"alternate": bench.switch(_SECOND), "alternate, user": bench.back(_SECOND)}


def _system_call(bench: CostBench) -> dict[str, Cell]:
    bench.steady()
    # Refused with EINVAL before it touches anything: a system call with no work of its own.
    bench.runner.ioperm(_FIRST, PortRange(0, 0), turn_on=True)
    return {"system call, user": bench.back(_FIRST)}


def _ioperm_first(bench: CostBench) -> dict[str, Cell]:
    bench.run(_SECOND)
    bench.open_port(_SECOND)
    bench.run(_ORDINARY)
    bench.run(_FIRST)
    return _ioperm(bench, "ioperm first")


def _ioperm_again(bench: CostBench) -> dict[str, Cell]:
    bench.steady()
    return _ioperm(bench, "ioperm again")


def _ioperm(bench: CostBench, name: str) -> dict[str, Cell]:
    ports = bench.ports or NO_PORTS
    call = functools.partial(bench.runner.ioperm, _FIRST, ports, turn_on=True)
    return {name: bench.count(call), f"{name}, user": bench.back(_FIRST)}


def _first_access(bench: CostBench) -> dict[str, Cell]:
    if not bench.system.has_hook(GENERAL_PROTECTION.name):
        return {}
    bench.steady()
    bench.switch(_SECOND)
    bench.back(_SECOND)
    return {"first access": bench.count(functools.partial(bench.access, _SECOND))}


def _fork(bench: CostBench) -> dict[str, Cell]:
    bench.steady()
    return {"fork": bench.count(functools.partial(bench.runner.fork, _FIRST))}


def _after_vm_exit(bench: CostBench) -> dict[str, Cell]:
    if not bench.system.has_hook(VM_EXIT.name):
        return {}
    bench.steady()
    bench.run(_ORDINARY)
    bench.runner.vm_exit(_ORDINARY)
    bench.runner.return_to_user(_ORDINARY)
    return {"after VM exit": bench.switch(_FIRST) + bench.back(_FIRST)}


_ROWS: Final[Mapping[Callable[[CostBench], dict[str, Cell]], tuple[str, ...]]] = {
    _switches: ("switch-in", "switch-in, user", "switch-out"),
    _alternation: ("alternate", "alternate, user"),
    _system_call: ("system call, user",),
    _ioperm_first: ("ioperm first", "ioperm first, user"),
    _ioperm_again: ("ioperm again", "ioperm again, user"),
    _first_access: ("first access",),
    _fork: ("fork",),
    _after_vm_exit: ("after VM exit",),
}
"""What each measurement tells."""

_MEASUREMENTS: Final = tuple(_ROWS)
