"""The kernel code around a design's hooks, as steps of tasks and CPUs.

The rules, in this checker's own words. A system call runs its hook; then one step notes what the
result grants or revokes, and decides where to go: a kernel thread to its wait, a task to user mode,
by way of the design's ``return_to_user`` (interrupts off, after one step that can be preempted)
if there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.constants import Value
from iopermit.certify.language.liveness import live_variables
from iopermit.certify.language.source import has_hook
from iopermit.certify.language.statements import Code
from iopermit.certify.language.steps import Kinds, Point, Step
from iopermit.certify.state import (
    DEAD,
    FIRST_POINT,
    FREE,
    THREAD,
    USER,
    Batch,
    Column,
    Layout,
    Numbers,
)
from iopermit.system.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

_PASSES = 8
EVERY_LEVEL = 3
"""The I/O privilege level that allows every port to user code."""
_NAMES = ("cpu", "task")


@dataclass
class Kernel:
    """A design in its surroundings: its state, its steps, where each event enters."""

    design: type[Design]
    scenario: Scenario
    layout: Layout
    steps: dict[int, Step] = field(default_factory=dict)
    """By the number of the point before it."""
    entries: dict[str, int] = field(default_factory=dict)
    """Number of the point where the code for an event, a switch or a bring-up begins."""
    back: int = USER
    """Where a task goes on that leaves the kernel for user mode."""
    live: dict[int, frozenset[Column]] = field(default_factory=dict)
    """The local variables that may still be read, for each point."""
    variables: dict[str, Column] = field(default_factory=dict)


def build(design: type[Design], scenario: Scenario) -> Kernel:
    """Interpret a design's hooks.

    Raises:
        UnacceptableError: it does something that this checker cannot interpret.
    """
    kinds: Kinds = {}
    for _ in range(_PASSES):
        # The kinds of local variables can depend on one another.
        known = dict(kinds)
        kernel = _Builder(design, scenario, kinds).build()
        if known == kinds:
            return kernel
    raise UnacceptableError(f"{design.__name__}: the kinds of local variables do not settle")


class _Builder:
    def __init__(self, design: type[Design], scenario: Scenario, kinds: Kinds) -> None:
        self.design, self.scenario = design, scenario
        self.layout = Layout(design, scenario)
        self.points: list[Point] = []
        self.code = Code(design, self.layout, kinds, self.points)
        self.user, self.thread, self.dead = Point(USER), Point(THREAD), Point(DEAD)
        self.back = self.user
        self.entries: dict[str, Point] = {}
        own = self.code.expressions
        self.task = Value(lambda b, r: b.task[r] + 1, "ref", "task", own=True)
        self.cpu = Value(lambda b, _r: b.cpu + 1, "ref", "cpu", own=True)
        self.names: list[Callable[[], Value]] = [lambda: self.cpu, lambda: self.task]
        self.expressions = own

    def build(self) -> Kernel:
        """Return the kernel with all that the scenario's events need."""
        self._returns()
        self.leave = self._point("return from the system call", self._leave, self.back, self.thread)
        has = self.scenario.has
        for event, make in (
            (Event.IOPERM, self._ioperm), (Event.IOPL, self._iopl), (Event.EXIT, self._exit),
            (Event.EXEC, self._exec), (Event.VM_EXIT, self._vm_exit),
        ):  # fmt: skip
            if has(event):
                make()
        if has(Event.FORK) or has(Event.FORK_FAILS) or has(Event.IO_THREAD):
            self._fork()
        if has_hook(self.design, "general_protection"):
            self._fault()
        self._switch()
        return self._finish()

    def _point(
        self,
        label: str,
        run: Callable[[Batch], Numbers],
        *following: Point,
        reads: tuple[Column, ...] = (),
    ) -> Point:
        """Return a point before a step of the environment."""
        at = Point()
        self.expressions.reads |= set(reads)
        self.code.step(((), label), at, run, *following)
        return at

    def _hook(
        self, name: str, then: Point, more: tuple[Callable[[], Value], ...] = (), *,
        result: Column | None = None, off: bool = False,
    ) -> Point:  # fmt: skip
        if not has_hook(self.design, name):
            return then
        self.code.off = off
        try:
            return self.code.hook(name, [*self.names, *more], then, result)
        finally:
            self.code.off = False

    def _variable(self, name: str, kind: str, target: str = "") -> Column:
        return self.code.variable(name, kind, target)

    def _argument(self, column: Column, kind: str = "") -> Callable[[], Value]:
        def value() -> Value:
            read = self.expressions.variable(column)
            return Value(read.read, kind or column.kind, column.target)

        return value

    # The way out.

    def _returns(self) -> None:
        if has_hook(self.design, "return_to_user"):
            entry = self._hook("return_to_user", self.user, off=True)
            label = "return to user mode: interrupts off"
            self.back = self._point(label, lambda _b: entry.final.number, entry)

    def _leave(self, b: Batch) -> Numbers:
        thread = b.get(self.layout["task", "kernel_thread"])
        return np.where(thread != 0, THREAD, self.back.final.number)

    def _end(self, label: str, do: Callable[[Batch], None], *reads: Column) -> Point:
        """Return the point before the last step of a system call."""

        def run(b: Batch) -> Numbers:
            do(b)
            return self._leave(b)

        return self._point(label, run, self.back, self.thread, reads=reads)

    # System calls.

    def _ioperm(self) -> None:
        ports, turn_on = (
            self._variable("ioperm.ports", "int"),
            self._variable("ioperm.turn_on", "bool"),
        )
        result, granted = self._variable("ioperm.result", "result"), self.layout["task", "granted"]

        def note(b: Batch) -> None:
            old, mask = b.get(granted), b.get(ports)
            new = np.where(b.get(turn_on) != 0, old | mask, old & ~mask)
            b.put(granted, np.where(b.get(result) == 0, new, old))

        end = self._end("ioperm() returns", note, ports, turn_on, result)
        arguments = self._argument(ports, "ports"), self._argument(turn_on)
        self.entries["ioperm"] = self._hook("ioperm", end, arguments, result=result)

    def _iopl(self) -> None:
        level, result = self._variable("iopl.level", "int"), self._variable("iopl.result", "result")
        granted = self.layout["task", "granted_iopl"]

        def note(b: Batch) -> None:
            b.put(
                granted, np.where(b.get(result) == 0, b.get(level) == EVERY_LEVEL, b.get(granted))
            )

        end = self._end("iopl() returns", note, level, result)
        self.entries["iopl"] = self._hook("iopl", end, (self._argument(level),), result=result)

    def _exit(self) -> None:
        def note(b: Batch) -> Numbers:
            for name in ("granted", "granted_iopl"):
                b.put(self.layout["task", name], 0)
            return DEAD

        end = self._point("the task is dead", note, self.dead)
        self.entries["exit"] = self._hook("exit", end)

    def _exec(self) -> None:
        survives = getattr(self.design, "iopl_survives_exec", True)
        revokes = has_hook(self.design, "execve") and not survives

        def note(b: Batch) -> None:
            if revokes:
                b.put(self.layout["task", "granted_iopl"], 0)

        self.entries["exec"] = self._hook("execve", self._end("execve() returns", note))

    def _vm_exit(self) -> None:
        if has_hook(self.design, "vm_exit"):
            self.entries["vm-exit"] = self._hook("vm_exit", self.leave, off=True)

    def _fork(self) -> None:
        child, fails = (
            self._variable("fork.child", "ref", "task"),
            self._variable("fork.fails", "bool"),
        )
        argument = (self._argument(child),)

        def unwind(b: Batch) -> None:
            b.clear(self.layout, "task", b.get(child) - 1, b.rows)

        unwound = self._end("fork: unwound", unwind, child)
        can_fail = self.scenario.has(Event.FORK_FAILS)
        failed = self._hook("fork_failed", unwound, argument) if can_fail else unwound
        hooked = has_hook(self.design, "fork")
        result = self._variable("fork.result", "result") if hooked else None

        def returns(b: Batch) -> Numbers:
            nothing = np.zeros(len(b.rows), bool)
            refused = nothing if result is None else b.get(result) != 0
            fail = ~refused & (b.get(fails) != 0) if can_fail else nothing
            self._start_child(b, child, np.flatnonzero(~refused & ~fail))
            gone = np.flatnonzero(refused)
            b.clear(self.layout, "task", b.get(child)[gone] - 1, gone)
            return np.where(fail, failed.final.number, self._leave(b))

        reads = (child, *((fails,) if can_fail else ()), *((result,) if result else ()))
        end = self._point("fork returns", returns, failed, self.back, self.thread, reads=reads)
        self.entries["fork"] = self._hook("fork", end, argument, result=result) if hooked else end

    def _start_child(self, b: Batch, child: Column, rows: Numbers) -> None:
        """Let a child run: it inherits what its parent was granted."""
        slot, layout = b.get(child)[rows] - 1, self.layout
        for name in ("granted", "granted_iopl"):
            b.store(layout["task", name], slot, rows, b.get(layout["task", name])[rows])
        thread = b.load(layout["task", "kernel_thread"], slot, rows) != 0
        b.store(layout["task", "at"], slot, rows, np.where(thread, THREAD, self.back.final.number))

    def _fault(self) -> None:
        again = self._variable("general_protection.result", "bool")
        granted = self._variable("fault.granted", "bool")

        def note(b: Batch) -> None:
            lost = (b.get(granted) != 0) & (b.get(again) == 0)
            b.refuse(lost, b.rows, "loss: a port that the task was granted is finally refused")

        end = self._end("the #GP handler returns", note, again, granted)
        self.entries["fault"] = self._hook("general_protection", end, result=again)

    # The scheduler, and bring-up.

    def _switch(self) -> None:
        layout, self.expressions.record = self.layout, "cpu"
        current, following = layout["cpu", "current"], layout["cpu", "following"]

        def end(b: Batch) -> Numbers:
            previous = b.get(current) - 1
            dead = np.flatnonzero(b.load(layout["task", "at"], previous, b.rows) == DEAD)
            b.clear(layout, "task", previous[dead], dead)
            b.put(current, b.get(following))
            b.put(following, 0)
            return FREE

        self.code.off = True
        last = self._point("the next task runs", end, Point(FREE))
        self.code.off = False

        def task(column: Column) -> Callable[[], Value]:
            return lambda: Value(lambda b, r: b.load(column, b.cpu, r), "ref", "task")

        self.names = [lambda: self.cpu]
        self.entries["switch"] = self._hook(
            "switch_to", last, (task(current), task(following)), off=True
        )
        self.entries["bring_up"] = self._hook("bring_up", Point(FREE), off=True)

    def _finish(self) -> Kernel:
        for number, point in enumerate(self.points, FIRST_POINT):
            point.number = number
        steps = {point.number: point.step for point in self.points if point.step is not None}
        kernel = Kernel(self.design, self.scenario, self.layout, steps)
        kernel.entries = {name: point.final.number for name, point in self.entries.items()}
        kernel.back = self.back.final.number
        kernel.variables = self.code.variables
        kernel.live = live_variables(steps)
        for name in ("ioperm", "iopl", "fork", "exit", "exec", "vm-exit", "fault", "switch"):
            entry = kernel.entries.get(name, FREE)
            unset = {v.name for v in kernel.live[entry]} - _ARGUMENTS
            if unset:
                message = f"{self.design.__name__}: {min(unset)} may be used before it has a value"
                raise UnacceptableError(message)
        self.layout.place(self.code.variables.values())
        return kernel


_ARGUMENTS = {
    "ioperm.ports", "ioperm.turn_on", "iopl.level", "fork.child", "fork.fails", "fault.granted",
}  # fmt: skip
