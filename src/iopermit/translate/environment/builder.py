"""What the environment of a design is built with: its fields, steps and rules so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.system.events import EVENTS, Event
from iopermit.system.events.hooks import GENERAL_PROTECTION
from iopermit.system.events.operations import IOPERM, Effect
from iopermit.translate.frontend.declare import declare, refuse_reserved_names
from iopermit.translate.frontend.source import find_method, is_overridden
from iopermit.translate.frontend.statements import Lowering
from iopermit.translate.frontend.step_builder import Label, StepBuilder
from iopermit.translate.model.model import KernelFields, Rule, Step
from iopermit.translate.model.nodes import (
    BLAME,
    KERNEL_THREAD,
    LEAK,
    TASK,
    USER,
    Const,
    Field,
    Goto,
    If,
    Load,
    Stmt,
)

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.events.hooks import Hook
    from iopermit.system.events.operations import Operation
    from iopermit.system.scenario import Scenario
    from iopermit.translate.frontend.types import Type, Value


def variable_name(operation: Operation, argument: str) -> str:
    """Return the name of the local variable that holds an argument of an operation."""
    return f"{operation.name}.{argument}"


def _beginning_with(effect: Effect) -> list[Operation]:
    """Return the operations that have an effect at once, each once."""
    done = (event.operation for event in EVENTS.values() if event.operation is not None)
    found = [each for each in done if effect in each.at_once]
    return list({each.name: each for each in found}.values())


class EnvironmentBuilder:
    """The fields that the environment adds to those of a design, and its steps and rules so far."""

    def __init__(
        self,
        design: type[Design],
        scenario: Scenario,
        types: dict[tuple[str, str], Type],
        pc_widths: tuple[int, int],
    ) -> None:
        """Declare the state; ``pc_widths`` are the bits of the pc of a task and of a CPU."""
        self.design, self.scenario = design, scenario
        declared = declare(design, scenario)
        longs, tasks = scenario.longs, scenario.tasks
        self.pc, self.cpu_pc = (
            Field(record, "pc", width, high=(1 << width) - 1)
            for record, width in zip(("task", "cpu"), pc_widths, strict=True)
        )
        everyone = tasks + scenario.cpus
        self.following = Field(
            "cpu", "following", everyone.bit_length(), "ref", "task", high=everyone
        )
        self.granted = Field("task", "granted", longs, "bitmap", high=(1 << longs) - 1)
        self.granted_iopl = Field("task", "granted_iopl", 1, "bool", high=1)
        self.bad = Field("globals", "bad", 3, high=LEAK)
        self.home = Field(
            "task", "home", max(1, (scenario.cpus - 1).bit_length()), high=scenario.cpus - 1
        )
        own = [self.pc, self.cpu_pc, self.following, self.granted, self.granted_iopl, self.bad]
        if not scenario.has(Event.MIGRATE):
            own.append(self.home)
        self.refusals: Field | None = None
        if self.has_hook(GENERAL_PROTECTION.name):
            most = scenario.most_refusals
            self.refusals = Field("task", "refusals", most.bit_length(), high=most)
            own.append(self.refusals)
        refuse_reserved_names(
            design, declared, [*dict.fromkeys((*own, self.home)), Field("cpu", BLAME, 1)]
        )
        self.declared = replace(declared, fields=[*declared.fields, *own])
        self.steps = StepBuilder(design, self.declared, scenario)
        self.steps.types = types
        self.lowering = Lowering(self.steps)
        self.fields = self.steps.expressions.fields
        self.current = self.fields["cpu", "current"]
        self.kernel_thread = self.fields["task", "kernel_thread"]
        self.privileged = self.fields["task", "privileged"]
        self.user_rules: list[Rule] = []
        self.thread_rules: list[Rule] = []
        self.return_label: Label = USER
        self.switch_entry: Label = USER
        self.idle_entries: dict[str, Label] = {}
        """Where the steps begin of what an idle CPU does, by the event's name."""

    def has_hook(self, name: str) -> bool:
        """Return whether the design has the hook."""
        return is_overridden(self.design, name) and find_method(self.design, name) is not None

    @property
    def preemptible(self) -> bool:
        """Whether kernel code can be preempted; else a task is switched out where it may sleep."""
        return self.scenario.has(Event.PREEMPT) and self.design.preemptible

    def add_step(
        self, body: list[Stmt], label: str, *, off: bool = False, may_sleep: bool = False
    ) -> Label:
        """Add a step of the environment in the context of a task, maybe with preemption off."""
        at = self.steps.label()
        step = Step(at, "task", None, tuple(body), label, off, may_sleep=may_sleep)
        self.steps.lowered.steps[at] = step
        return at

    def leave(self) -> list[Stmt]:
        """Go back to where the task came from."""
        return [
            If(Load(self.kernel_thread, TASK), (Goto(KERNEL_THREAD),), (Goto(self.return_label),))
        ]

    def local(self, name: str, kind: Type) -> Field:
        """Return a local variable of a task's system call."""
        self.steps.record = "task"
        self.steps.types[("task", name)] = joined = (
            kind.join(self.steps.types.get(("task", name), kind)) or kind
        )
        variable = joined.field("task", name)
        self.steps.lowered.locals[("task", name)] = variable
        return variable

    def argument(self, name: str, kind: Type) -> Field:
        """Return the local variable that holds an argument of a task's system call."""
        self.steps.arguments.add(("task", name))
        return self.local(name, kind)

    def hook(
        self, hook: Hook, arguments: dict[str, Value], result: Field | None = None
    ) -> tuple[Label, Label]:
        """Lower a hook that a task executes; return the labels of entry and of what follows."""
        off = not hook.preemptible
        return self.lowering.hook(hook.name, arguments, record="task", off=off, result=result)

    @property
    def kernel_fields(self) -> KernelFields:
        """The fields of every model, and those of its system calls."""
        home = None if self.scenario.has(Event.MIGRATE) else self.home
        variables = self.steps.lowered.locals

        def arguments(effect: Effect, name: str) -> tuple[Field, ...]:
            keys = [("task", variable_name(each, name)) for each in _beginning_with(effect)]
            return tuple(variables[key] for key in keys if key in variables)

        return KernelFields(
            task_pc=self.pc,
            cpu_pc=self.cpu_pc,
            current=self.current,
            following=self.following,
            kernel_thread=self.kernel_thread,
            granted=self.granted,
            granted_iopl=self.granted_iopl,
            bad=self.bad,
            home=home,
            refusals=self.refusals,
            ports=variables.get(("task", variable_name(IOPERM, "ports"))),
            children=arguments(Effect.MAKE_CHILD, "child"),
            targets=arguments(Effect.STOP_TARGET, "target"),
        )

    def all_ports(self) -> Const:
        """Return the mask of all ports, one bit per long, and one for those beyond the map."""
        beyond = self.design.layout.map_ports < 65536  # noqa: PLR2004 - the ports of the architecture
        return Const((1 << (self.scenario.longs + beyond)) - 1)
