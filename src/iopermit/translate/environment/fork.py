"""Fork, which may fail after the thread was copied, and the creation of kernel threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.system.events import Event
from iopermit.translate.environment.builder import CHILD
from iopermit.translate.frontend.types import Type, Value
from iopermit.translate.model.builder import (
    candidate,
    const,
    equal,
    slot_of,
)
from iopermit.translate.model.nodes import (
    EMBRYO,
    KERNEL_THREAD,
    TASK,
    Clear,
    Const,
    Field,
    Goto,
    If,
    Load,
    Mask,
    Select,
    StepNumber,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.frontend.step_builder import Label


class Fork:
    """Adds the events that make tasks to an environment."""

    def __init__(self, builder: EnvironmentBuilder) -> None:
        """Add to ``builder``."""
        self.builder = builder

    def add(self) -> None:
        """Add those that the scenario has."""
        wanted = [
            e
            for e in (Event.FORK, Event.FORK_FAILS, Event.IO_THREAD)
            if self.builder.scenario.has(e)
        ]
        if not wanted:
            return
        everyone = self.builder.scenario.tasks + self.builder.scenario.cpus
        child = self.builder.local(CHILD, Type("ref", 0, everyone, "task"))
        fails = self.builder.local("fork.fails", Type("bool"))
        reference = Value(
            Load(child, TASK),
            Type("ref", 0, everyone, "task"),
            slot_of(Load(child, TASK)),
            never_null=True,
        )
        done: list[Stmt] = self._end(child, fails, reference)
        if self.builder.has_hook("fork"):
            entry, after = self.builder.hook(
                "fork", {"child": reference}, result=self.builder.result("fork")
            )
            gone = (Clear("task", slot_of(Load(child, TASK))), *self.builder.leave())
            done = [If(equal(Load(self.builder.result("fork"), TASK), 0), tuple(done), gone)]
            self.builder.steps.alias(after, self.builder.add_step([], "fork returns", done))
        else:
            entry = self.builder.add_step([], "fork returns", done)
        self._rules(entry, child, fails)

    def _end(self, child: Field, fails: Field, reference: Value) -> list[Stmt]:
        slot = slot_of(Load(child, TASK))
        unwound = self.builder.add_step(
            [Clear("task", slot)], "fork: unwound", self.builder.leave()
        )
        failed = unwound
        if self.builder.has_hook("fork_failed") and self.builder.scenario.has(Event.FORK_FAILS):
            failed, after = self.builder.hook("fork_failed", {"child": reference})
            self.builder.steps.alias(after, unwound)
        start = Select(
            Load(self.builder.kernel_thread, slot),
            const(KERNEL_THREAD),
            StepNumber(self.builder.return_label),
        )
        alive: tuple[Stmt, ...] = (
            Store(self.builder.granted, slot, Load(self.builder.granted, TASK)),
            Store(self.builder.granted_iopl, slot, Load(self.builder.granted_iopl, TASK)),
            Store(self.builder.pc, slot, start),
            *self.builder.leave(),
        )
        return [If(Load(fails, TASK), (Goto(failed),), alive)]

    def _rules(self, entry: Label, child: Field, fails: Field) -> None:
        has = self.builder.scenario.has
        variants = [("fork", 0, 0, has(Event.FORK)), ("fork-fails", 1, 0, has(Event.FORK_FAILS))]
        variants += [("io-thread", 0, 1, has(Event.IO_THREAD))]
        variants += [("io-thread-fails", 1, 1, has(Event.IO_THREAD) and has(Event.FORK_FAILS))]
        copied = [f for f in self.builder.declared.fields if f.record == "task" and f.declared]
        for name, failing, thread, wanted in variants:
            for slot in range(self.builder.scenario.tasks):
                at = Const(slot)
                body: list[Stmt] = [
                    Store(f, at, Load(f, TASK))
                    for f in copied
                    if f is not self.builder.kernel_thread
                ]
                body += [
                    Store(self.builder.kernel_thread, at, const(thread)),
                    Store(self.builder.pc, at, const(EMBRYO)),
                ]
                body += [Store(child, TASK, const(slot + 1)), Store(fails, TASK, const(failing))]
                if not has(Event.MIGRATE):
                    body.append(Store(self.builder.home, at, Load(self.builder.home, TASK)))
                guard = candidate(Mask("free", "task"), self.builder.scenario.tasks, at)
                if wanted:
                    self.builder.add_rule(name, body, entry, {"child": slot}, guard)
                if wanted and thread:
                    self.builder.add_thread_rule(name, body, entry, {"child": slot}, guard)
