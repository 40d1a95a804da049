"""What the environment of a design is built with: its fields, steps and rules so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.events import Event
from iopermit.translate.frontend.constants import Scope
from iopermit.translate.frontend.declare import Declarations, declare
from iopermit.translate.frontend.source import find_method, is_overridden
from iopermit.translate.frontend.statements import Lowering
from iopermit.translate.frontend.step_builder import Label, StepBuilder
from iopermit.translate.frontend.types import Kind, Type, Value, pointer
from iopermit.translate.model.model import KernelFields, Rule, Step
from iopermit.translate.model.nodes import (
    ALWAYS,
    CPU,
    KERNEL_THREAD,
    TASK,
    USER,
    Const,
    Expr,
    Field,
    Goto,
    If,
    Load,
    Stmt,
)

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario


PORTS: Final = "ioperm.ports"
CHILD: Final = "fork.child"
"""Local variables of system calls that analyses know (see :class:`KernelFields`)."""


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
        self.bad = Field("globals", "bad", 2, high=3)
        self.home = Field(
            "task", "home", max(1, (scenario.cpus - 1).bit_length()), high=scenario.cpus - 1
        )
        own = [self.pc, self.cpu_pc, self.following, self.granted, self.granted_iopl, self.bad]
        if not scenario.has(Event.MIGRATE):
            own.append(self.home)
        self.declared = Declarations(
            declared.counts,
            [*declared.fields, *own],
            declared.heap,
            declared.counter_values,
            declared.defaults,
        )
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
        self.syscall_return: Label = USER
        self.switch_entry: Label = USER

    def has_hook(self, name: str) -> bool:
        """Return whether the design has the hook."""
        return is_overridden(self.design, name) and find_method(self.design, name) is not None

    def add_step(
        self, body: list[Stmt], label: str, then: list[Stmt], *, off: bool = False
    ) -> Label:
        """Add a step of the environment in the context of a task."""
        at = self.steps.label()
        self.steps.lowered.steps[at] = Step(at, "task", None, (*body, *then), label, off)
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

    def hook(
        self, name: str, extra: dict[str, Value], *, off: bool = False, result: Field | None = None
    ) -> tuple[Label, Label]:
        """Lower a hook that a task executes; return the labels of entry and of what follows."""
        parameters = {"cpu": pointer("cpu", CPU), "task": pointer("task", TASK), **extra}
        return self.lowering.hook(name, parameters, record="task", off=off, result=result)

    def result(self, name: str) -> Field:
        """Return the local variable that receives the result of a system call."""
        return self.local(f"{name}.result", Type("result", 0, 1))

    @property
    def kernel_fields(self) -> KernelFields:
        """The fields of every model, and those of its system calls."""
        home = None if self.scenario.has(Event.MIGRATE) else self.home
        variables = self.steps.lowered.locals
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
            ports=variables.get(("task", PORTS)),
            child=variables.get(("task", CHILD)),
        )

    def argument(self, variable: Field, kind: Kind | None = None) -> Value:
        """Return a local variable as an argument of a hook."""
        bounds = Type(kind or variable.kind, variable.low, variable.high, variable.target)
        return Value(Load(variable, TASK), bounds)

    def add_rule(
        self,
        event: str,
        body: list[Stmt],
        start: Label,
        arguments: dict[str, int],
        guard: Expr = ALWAYS,
    ) -> None:
        """Add an event that a task in user mode can start."""
        rule = Rule(event, guard, (*body, Goto(start)), tuple(arguments.items()), start)
        self.user_rules.append(rule)

    def add_thread_rule(
        self, event: str, body: list[Stmt], start: Label, arguments: dict[str, int], guard: Expr
    ) -> None:
        """Add an event that a kernel thread can start."""
        self.thread_rules.append(
            Rule(event, guard, (*body, Goto(start)), tuple(arguments.items()), start)
        )

    def all_ports(self) -> Const:
        """Return the mask of all ports, one bit per long, and one for those beyond the map."""
        beyond = self.design.layout.map_ports < 65536  # noqa: PLR2004 - the ports of the architecture
        return Const((1 << (self.scenario.longs + beyond)) - 1)

    def pure(self, name: str, arguments: dict[str, Value]) -> Expr:
        """Return what a method of the system that is one expression gives."""
        method = find_method(self.design, name)
        if method is None or method.expression is None:
            message = f"{self.design.__name__}.{name} must be a single `return expression`"
            raise TypeError(message)
        expressions = self.steps.expressions
        expressions.scope = Scope(method, arguments)
        value = expressions.value(method.expression)
        expressions.out = []
        return value.expr
