"""Builds the steps of a design: labels, local variables, and what a step stores and checks."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from iopermit.system.machine_state import IoMapBase
from iopermit.translate.frontend.expressions import Expressions
from iopermit.translate.model.builder import (
    binary,
)
from iopermit.translate.model.model import Allocation, Step
from iopermit.translate.model.nodes import (
    Check,
    Const,
    Field,
    Goto,
    Load,
    StepParameter,
    Stmt,
    Store,
)
from iopermit.translate.model.walk import map_gotos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.system.site import Site
    from iopermit.translate.frontend.constants import Scope
    from iopermit.translate.frontend.declare import Declarations
    from iopermit.translate.frontend.types import Type, Value

Label = int
"""Names a step until the steps are numbered."""

_KEPT_BY_SYSTEM: Final = frozenset({"privileged", "kernel_thread"})
"""Fields of every task that tell the specification what it is: a design may only read them."""

_FIRST_LABEL = 1000
"""Labels are above every pc that is no step."""


@dataclass
class InlinedCall:
    """One call of a method that is being lowered in place."""

    scope: Scope
    exit: Label
    """Where the caller continues."""
    prefix: str
    """Makes the names of local variables unique."""
    result: Field | None = None
    """The caller's variable that receives the result."""
    calls: tuple[Site, ...] = ()
    loop: tuple[Label, Label] | None = None
    """Where ``continue`` and ``break`` go to."""


@dataclass
class Lowered:
    """Steps and local variables of all hooks; labels are final step numbers only later."""

    steps: dict[Label, Step] = field(default_factory=dict)
    locals: dict[tuple[str, str], Field] = field(default_factory=dict)


class StepBuilder:
    """The steps and local variables lowered so far, and the call that is being lowered."""

    def __init__(
        self, design: type[Design], declarations: Declarations, scenario: Scenario
    ) -> None:
        """Begin without any step."""
        self.design, self.scenario = design, scenario
        self.expressions = Expressions(design, declarations, scenario.longs)
        self.lowered = Lowered()
        self.types: dict[tuple[str, str], Type] = {}
        self.arguments: set[tuple[str, str]] = set()
        """The variables that hold the arguments of system calls."""
        self.widening = False
        """Whether the type of a variable that grows becomes twice as large, to come to an end."""
        self.unbounded: Exception | None = None
        """The error about the first variable whose type has grown in this pass."""
        self.record: Literal["task", "cpu"] = "task"
        self.preemption_off = False
        self.call: InlinedCall
        self._labels = itertools.count(_FIRST_LABEL)
        self._aliases: dict[Label, Label] = {}

    # Labels and steps.

    def label(self) -> Label:
        """Return a new label."""
        return next(self._labels)

    def alias(self, label: Label, target: Label) -> None:
        """Make ``label`` mean ``target``: nothing happens between them."""
        if self.resolve(target) == label:
            raise self.error(
                self.call.scope.method.node,
                "a loop in which nothing happens and which nothing ends",
                "a condition, `break` or `return`",
            )
        self._aliases[label] = target

    def resolve(self, label: Label) -> Label:
        """Return the step that a label finally stands for."""
        while label in self._aliases:
            label = self._aliases[label]
        return label

    def resolved(self) -> dict[Label, Label]:
        """Return the step that each label finally stands for; gotos then name these."""
        known = {label: self.resolve(label) for label in range(_FIRST_LABEL, self.label())}
        for step in self.lowered.steps.values():
            step.body = map_gotos(step.body, known)
        return known

    def emit(
        self,
        at: Label,
        node: ast.AST,
        body: Sequence[Stmt],
        then: Label | None,
        *,
        label: str = "",
        allocation: Allocation | None = None,
        counted: bool = False,
    ) -> None:
        """Define the step at ``at``: the pending checks, ``body``, and where it goes on."""
        statements = (*self.expressions.out, *body, *(() if then is None else (Goto(then),)))
        self.expressions.out = []
        self.lowered.steps[at] = Step(
            at,
            self.record,
            self.call.scope.method.site(node),
            statements,
            label,
            self.preemption_off,
            self.call.calls,
            allocation,
            counted,
        )

    @property
    def context(self) -> StepParameter:
        """The context whose local variables are in use."""
        return self.expressions.context

    def error(self, node: ast.AST, message: str, remedy: str = "") -> Exception:
        """Return an error about ``node`` in the method being lowered."""
        return self.call.scope.method.error(node, message, remedy)

    # Local variables and stores.

    def store(self, node: ast.AST, target: ast.expr, value: Value) -> list[Stmt]:
        """Return the statements that assign ``value``; pending checks come before them."""
        given = getattr(node, "value", None)
        if isinstance(given, ast.expr):
            self.expressions.check_no_this_cpu(given, value)
        if isinstance(target, ast.Name):
            variable = self.local(target, value.type)
            return [Store(variable, self.context, value.expr)]
        if not isinstance(target, ast.Attribute):
            raise self.error(
                target, "only variables and fields are assigned", "one assignment for each name"
            )
        read = self.expressions.value(target)
        if not isinstance(read.expr, Load) or read.expr.field.local:
            raise self.error(target, "this cannot be assigned", "a field, or a local variable")
        assigned, slot = read.expr.field, read.expr.index
        if read.type.longs:
            text = given if isinstance(given, ast.expr) else target
            value = self.expressions.counting(text, value)
        if assigned.record == "task" and assigned.name in _KEPT_BY_SYSTEM:
            raise self.error(
                target,
                f"{assigned.name!r} is no field of the design's own: it says what a task is",
                "a field with another name",
            )
        zero = (value.expr, value.type.kind) == (Const(0), "int")
        no_number = zero and assigned.kind == "counter"
        mixed = read.type.join(value.type) is None and not no_number
        if value.type.longs and not read.type.longs:
            message = f"a number of longs is assigned to {assigned.name!r}, which is none"
            raise self.error(node, message, f"{assigned.name}: Longs = 0")
        if mixed or assigned.kind == "bitmap":
            raise self.error(
                node,
                f"a {value.type.kind} is assigned to the {assigned.kind} field {assigned.name!r}",
                f"a value of the kind {assigned.kind}",
            )
        self._check_range(assigned, value)
        self._check_base(node, assigned, value)
        return [Store(assigned, slot, value.expr)]

    def _check_base(self, node: ast.AST, assigned: Field, value: Value) -> None:
        """Refuse a selection that the layout of the TSS gives no base for."""
        if (assigned.record, assigned.name) != ("tss", "io_map_base"):
            return
        bases = {selection.value: selection for selection in IoMapBase}
        chosen = bases.get(value.expr.value) if isinstance(value.expr, Const) else None
        if chosen is not None and chosen not in self.design.layout.bases:
            raise self.error(
                node,
                f"the layout has no base for IoMapBase.{chosen.name}",
                f"layout = TssLayout(..., bases={{..., IoMapBase.{chosen.name}: ...}}, ...)",
            )

    def _check_range(self, assigned: Field, value: Value) -> None:
        if assigned.kind == "int" and value.type.high > assigned.high:
            message = f"value out of range: {assigned.name} holds at most {assigned.high}"
            self.expressions.out.append(
                Check(binary("lt", Const(assigned.high), value.expr), message)
            )
        if assigned.kind == "int" and value.type.low < assigned.low:
            message = f"value out of range: {assigned.name} holds at least {assigned.low}"
            self.expressions.out.append(
                Check(binary("lt", value.expr, Const(assigned.low)), message)
            )

    def local(self, target: ast.Name, value_type: Type) -> Field:
        """Return the local variable ``target``, making room for values of ``value_type``."""
        return self.variable(target, self.local_name(target), value_type, target.id)

    def local_name(self, target: ast.Name) -> str:
        """Return the full name of the local variable ``target``. Raises DesignError for no local.

        A variable of a hook may be called as the system calls an argument, which it is not.
        """
        if target.id in self.call.scope.names:
            raise self.error(
                target,
                f"the parameter {target.id!r} is assigned",
                "a local variable with a new name",
            )
        name = self.call.prefix + target.id
        return f"{name}'" if (self.record, name) in self.arguments else name

    def variable(self, node: ast.AST, name: str, value_type: Type, visible: str = "") -> Field:
        """Return the local variable of that full name; its type grows over several passes."""
        key = (self.record, name)
        known = self.types.get(key)
        joined = value_type if known is None else known.join(value_type)
        if joined is None:
            raise self.error(
                node,
                f"the variable {visible!r} gets values of different types",
                "a variable of its own for each type",
            )
        if joined.kind == "ref":
            size = self.expressions.records.counts.get(joined.target, 0)
            joined = replace(joined, low=0, high=size)
        if known is not None and joined.high > known.high:
            joined = self._grown(node, visible, known, joined)
        self.types[key] = joined
        if joined.longs:
            self.expressions.longs.fields.add(key)
        variable = joined.field(self.record, name)
        self.lowered.locals[key] = variable
        if visible:
            self.call.scope.locals[visible] = variable
        return variable

    def _grown(self, node: ast.AST, visible: str, known: Type, joined: Type) -> Type:
        """Return a type that has grown since the last pass; if it never ends, it has no bound."""
        if self.unbounded is None:
            self.unbounded = self.error(
                node,
                f"the variable {visible!r} grows without a bound that can be seen",
                f"{visible} = min(..., LIMIT), with a constant, or a loop over range(n)",
            )
        return replace(joined, high=max(joined.high, 2 * known.high)) if self.widening else joined
