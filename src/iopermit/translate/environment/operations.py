"""Translates operations: each call of a hook, and what follows it, becomes steps of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from iopermit.system.events.hooks import RETURN_TO_USER, Kind, Returns
from iopermit.system.events.operations import (
    Argument,
    Call,
    Decision,
    Effect,
    Every,
    Has,
    HookResult,
    Not,
    Says,
    calls,
)
from iopermit.translate.environment.builder import variable_name
from iopermit.translate.environment.effects import effect
from iopermit.translate.environment.specification import Specification
from iopermit.translate.frontend.types import Type, Value, pointer
from iopermit.translate.model import nodes
from iopermit.translate.model.builder import binary, const, every, negate, slot_of
from iopermit.translate.model.nodes import CPU, DEAD, TASK, Const, Expr, Field, Goto, Load, Stmt

if TYPE_CHECKING:
    from collections.abc import Collection

    from iopermit.system.events.hooks import Hook, Parameter
    from iopermit.system.events.operations import Body, Condition, Operation
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.environment.effects import Operands
    from iopermit.translate.frontend.step_builder import Label


class OperationLowering:
    """Adds the steps of one operation to an environment, for all the events that do it."""

    def __init__(
        self, builder: EnvironmentBuilder, operation: Operation, never: Collection[str]
    ) -> None:
        """Lower ``operation``; none of its events sets one of the flags ``never``."""
        self.builder, self.operation, self._never = builder, operation, never
        self._variables = {
            name: builder.argument(variable_name(operation, name), self._type(kind))
            for name, kind in operation.arguments
        }
        loads = {name: Load(field, TASK) for name, field in self._variables.items()}
        self._operands: Operands = {
            name: slot_of(loads[name]) if kind is Kind.TASK else loads[name]
            for name, kind in operation.arguments
        }

    def add_steps(self) -> Label | None:
        """Add the steps; return the label of the first, or None if there are none."""
        end: list[Stmt] = self._way_out() if self.operation.leaves else [Goto(DEAD)]
        if not self.operation.body:
            return None
        (start,) = self._statements(self.operation.body, end, None)
        assert isinstance(start, Goto)
        return start.target

    def _way_out(self) -> list[Stmt]:
        """Return how the last step leaves the kernel.

        With a hook on the way back the row of refusals ends behind it (see `Events`).
        """
        builder, operation = self.builder, self.operation
        last = operation.counts_refusals and not builder.has_hook(RETURN_TO_USER.name)
        end_of_row = Specification(builder).end_of_row() if last else []
        return [*end_of_row, *builder.leave()]

    def at_once(self, values: Operands) -> list[Stmt]:
        """Return what happens together with an event whose arguments are constants."""
        body = [s for each in self.operation.at_once for s in effect(self.builder, each, values)]
        for name, kind in self.operation.arguments:
            value = binary("add", values[name], Const(1)) if kind is Kind.TASK else values[name]
            body.append(nodes.Store(self._variables[name], TASK, value))
        return body

    # Bodies.

    def _statements(self, body: Body, end: list[Stmt], result: Field | None) -> list[Stmt]:
        """Return what a step does that follows ``body`` and then goes to the ``end``.

        ``result`` has what the last hook returned; without a hook that is 0.
        """
        if not body:
            return end
        first, rest = body[0], body[1:]
        match first:
            case Effect():
                done = effect(self.builder, first, self._operands)
                return [*done, *self._statements(rest, end, result)]
            case Call():
                return [Goto(self._call(first, rest, end))]
            case Decision(condition, then, otherwise):
                truth = self._truth(condition, result)
                if isinstance(truth, Const):
                    chosen = then if truth.value else otherwise
                    return self._statements((*chosen, *rest), end, result)
                branches = (then, otherwise)
                if any(calls((*then, *otherwise))):
                    # A branch that calls ends the step, so each goes on by itself.
                    branches = ((*then, *rest), (*otherwise, *rest))
                    return [self._decision(truth, branches, end, result)]
                decision = self._decision(truth, branches, [], result)
                return [decision, *self._statements(rest, end, result)]
        assert_never(first)

    def _decision(
        self, truth: Expr, branches: tuple[Body, Body], end: list[Stmt], result: Field | None
    ) -> nodes.If:
        then, otherwise = (tuple(self._statements(each, end, result)) for each in branches)
        return nodes.If(truth, then, otherwise)

    def _call(self, call: Call, rest: Body, end: list[Stmt]) -> Label:
        """Add a hook and the step in which it returns; return where that begins."""
        builder, hook, returns = self.builder, call.hook, call.returns
        if not builder.has_hook(hook.name):
            statements = self._statements(rest, end, None)
            return builder.add_step(statements, returns, may_sleep=self._sleeps_before(returns))
        arguments = {p.name: self._argument(p) for p in hook.parameters}
        entry, after = builder.hook(hook, arguments, self._result(hook))
        # The hook may have told more of the type of its result.
        statements = self._statements(rest, end, self._result(hook))
        step = builder.add_step(statements, returns, may_sleep=self._sleeps_before(returns))
        builder.steps.alias(after, step)
        if not call.first:
            return entry
        return builder.add_step([Goto(entry)], call.first, may_sleep=True)

    def _sleeps_before(self, returns: str) -> bool:
        return returns in self.operation.sleeps_before

    def _result(self, hook: Hook) -> Field | None:
        match hook.returns:
            case Returns.NOTHING:
                return None
            case Returns.ERROR:
                return self.builder.local(f"{hook.name}.result", Type("result", 0, 1))
            case Returns.FLAG:
                return self.builder.local(f"{hook.name}.result", Type("bool"))
        assert_never(hook.returns)

    # Arguments and conditions.

    def _type(self, kind: Kind) -> Type:
        scenario = self.builder.scenario
        match kind:
            case Kind.PORTS:
                return Type("bitmap", 0, (1 << scenario.longs) - 1)
            case Kind.FLAG:
                return Type("bool")
            case Kind.LEVEL:
                return Type("int", 0, 3)
            case Kind.TASK:
                return Type("ref", 0, scenario.tasks + scenario.cpus, "task")
            case Kind.CPU:
                raise ValueError("the CPU of an event is no argument of it")
        assert_never(kind)

    def _argument(self, parameter: Parameter) -> Value:
        """Return what a hook is given."""
        variable = self._variables.get(parameter.name)
        if parameter.kind is Kind.CPU:
            return pointer("cpu", CPU)
        if variable is None:
            return pointer("task", TASK)
        load, kind = Load(variable, TASK), self._type(parameter.kind)
        if parameter.kind is Kind.TASK:
            return Value(load, kind, slot_of(load), never_null=True)
        ports = parameter.kind is Kind.PORTS
        return Value(load, Type("ports", kind.low, kind.high) if ports else kind)

    def _truth(self, condition: Condition, result: Field | None) -> Expr:
        """Return whether a condition is met; a constant if that is known."""
        match condition:
            case HookResult():
                return Load(result, TASK) if result is not None else const(0)
            case Argument(name):
                return const(0) if name in self._never else self._operands[name]
            case Says(name):
                return const(getattr(self.builder.design, name))
            case Has(hook):
                return const(self.builder.has_hook(hook.name))
            case Not(opposite):
                return negate(self._truth(opposite, result))
            case Every(conditions):
                parts = [self._truth(each, result) for each in conditions]
                return const(0) if Const(0) in parts else every(*parts)
        assert_never(condition)
