"""The events that a task can start, as rules and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.system.events import Event
from iopermit.translate.environment.builder import PORTS
from iopermit.translate.environment.fork import Fork
from iopermit.translate.environment.specification import Specification
from iopermit.translate.frontend.types import Type
from iopermit.translate.model.builder import (
    binary,
    const,
    differ,
    equal,
    every,
    negate,
)
from iopermit.translate.model.nodes import (
    CPU,
    DEAD,
    LOSS,
    TASK,
    USER,
    Const,
    Goto,
    If,
    Load,
    Select,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.frontend.step_builder import Label


class Events:
    """Adds the events of a scenario to an environment."""

    def __init__(self, builder: EnvironmentBuilder) -> None:
        """Add to ``builder``."""
        self.builder = builder

    def add(self) -> None:
        """Add the way back to user mode, and every event."""
        self.builder.return_label = self._return_path()
        self.builder.syscall_return = self.builder.add_step(
            [], "return from the system call", self.builder.leave()
        )
        self._ioperm()
        self._iopl()
        Fork(self.builder).add()
        self._exit()
        self._exec_and_privilege()
        self._vm_exit()
        self._fault()

    def _return_path(self) -> Label:
        if not self.builder.has_hook("return_to_user"):
            return USER
        entry, after = self.builder.hook("return_to_user", {}, off=True)
        self.builder.steps.alias(after, USER)
        return self.builder.add_step([], "return to user mode: interrupts off", [Goto(entry)])

    def _ioperm(self) -> None:
        if not self.builder.scenario.has(Event.IOPERM):
            return
        longs = self.builder.scenario.longs
        ports = self.builder.local(PORTS, Type("bitmap", 0, (1 << longs) - 1))
        turn_on = self.builder.local("ioperm.turn_on", Type("bool"))
        result = self.builder.result("ioperm")
        entry, after = self.builder.hook(
            "ioperm",
            {
                "ports": self.builder.argument(ports, "ports"),
                "turn_on": self.builder.argument(turn_on),
            },
            result=result,
        )
        result = self.builder.result("ioperm")
        granted, mask = Load(self.builder.granted, TASK), Load(ports, TASK)
        on, off = binary("or", granted, mask), binary("sub", binary("or", granted, mask), mask)
        grant = Store(self.builder.granted, TASK, Select(Load(turn_on, TASK), on, off))
        end = self.builder.add_step(
            [If(equal(Load(result, TASK), 0), (grant,))], "ioperm() returns", self.builder.leave()
        )
        self.builder.steps.alias(after, end)
        calls = [(a, b, flag) for flag in (1, 0) for a, b in self.builder.scenario.ranges] + [
            (0, 0, 1)
        ]
        for first, last, flag in calls:
            bits = (1 << last) - (1 << first)
            body: list[Stmt] = [Store(ports, TASK, const(bits)), Store(turn_on, TASK, const(flag))]
            self.builder.add_rule(
                "ioperm", body, entry, {"first": first, "end": last, "turn_on": flag}
            )

    def _iopl(self) -> None:
        if not self.builder.scenario.has(Event.IOPL):
            return
        level = self.builder.local("iopl.level", Type("int", 0, 3))
        entry, after = self.builder.hook(
            "iopl", {"level": self.builder.argument(level)}, result=self.builder.result("iopl")
        )
        result = self.builder.result("iopl")
        grant = Store(self.builder.granted_iopl, TASK, equal(Load(level, TASK), 3))
        end = self.builder.add_step(
            [If(equal(Load(result, TASK), 0), (grant,))], "iopl() returns", self.builder.leave()
        )
        self.builder.steps.alias(after, end)
        for value in (3, 0):
            self.builder.add_rule(
                "iopl", [Store(level, TASK, const(value))], entry, {"level": value}
            )

    def _exit(self) -> None:
        if not self.builder.scenario.has(Event.EXIT):
            return
        revoke: list[Stmt] = [
            Store(self.builder.granted, TASK, const(0)),
            Store(self.builder.granted_iopl, TASK, const(0)),
        ]
        entry = end = self.builder.add_step(revoke, "the task is dead", [Goto(DEAD)])
        if self.builder.has_hook("exit"):
            entry, after = self.builder.hook("exit", {})
            self.builder.steps.alias(after, end)
        self.builder.add_rule("exit", [], entry, {})
        self.builder.add_thread_rule("exit", [], entry, {}, const(1))

    def _exec_and_privilege(self) -> None:
        if self.builder.scenario.has(Event.EXEC):
            survives = getattr(
                self.builder.design, "iopl_survives_exec", True
            ) or not self.builder.has_hook("execve")
            revoke = [] if survives else [Store(self.builder.granted_iopl, TASK, const(0))]
            entry = end = self.builder.add_step(
                list(revoke), "execve() returns", self.builder.leave()
            )
            if self.builder.has_hook("execve"):
                entry, after = self.builder.hook("execve", {})
                self.builder.steps.alias(after, end)
            self.builder.add_rule("exec", [], entry, {})
        if self.builder.scenario.has(Event.DROP_PRIVILEGE):
            drop: list[Stmt] = [Store(self.builder.privileged, TASK, const(0))]
            self.builder.add_rule(
                "drop-privilege",
                drop,
                self.builder.return_label,
                {},
                Load(self.builder.privileged, TASK),
            )

    def _vm_exit(self) -> None:
        if self.builder.scenario.has(Event.VM_EXIT) and self.builder.has_hook("vm_exit"):
            entry, after = self.builder.hook("vm_exit", {}, off=True)
            self.builder.steps.alias(after, self.builder.syscall_return)
            low: list[Stmt] = [Store(self.builder.fields["cpu", "tr_limit_low"], CPU, const(1))]
            self.builder.add_rule("vm-exit", low, entry, {})

    def _fault(self) -> None:
        if not self.builder.has_hook("general_protection"):
            return
        again = self.builder.local("general_protection.again", Type("bool"))
        granted = self.builder.local("fault.granted", Type("bool"))
        entry, after = self.builder.hook("general_protection", {}, result=again)
        lost = If(
            every(Load(granted, TASK), negate(Load(again, TASK))),
            (Store(self.builder.bad, Const(0), const(LOSS)),),
        )
        self.builder.steps.alias(
            after, self.builder.add_step([lost], "the #GP handler returns", self.builder.leave())
        )
        specification = Specification(self.builder)
        allowed, promised = specification.allowed(CPU, TASK), specification.promised(TASK)
        refused = binary("xor", allowed, self.builder.all_ports())
        for flag, ports in ((1, promised), (0, binary("xor", promised, self.builder.all_ports()))):
            body: list[Stmt] = [Store(granted, TASK, const(flag))]
            self.builder.add_rule(
                "fault", body, entry, {"granted": flag}, differ(binary("and", refused, ports), 0)
            )
