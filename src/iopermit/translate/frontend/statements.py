"""Lowers the methods of a design, statement by statement, to atomic steps."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from iopermit.system.records import MAX_REFCOUNT
from iopermit.system.scenario import Event, Scenario
from iopermit.translate.frontend.bulk import BULK, BulkOperations
from iopermit.translate.frontend.expressions import Expressions, Scope
from iopermit.translate.frontend.source import EFFECTS, Method, find_method
from iopermit.translate.frontend.types import BOOL, Type, Value
from iopermit.translate.model.builder import (
    binary,
    candidate,
    const,
    differ,
    either,
    equal,
    every,
    negate,
)
from iopermit.translate.model.model import Step
from iopermit.translate.model.nodes import (
    NO_ROOM,
    Check,
    Clear,
    Const,
    Context,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    Select,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.system.design import Design
    from iopermit.system.site import Site
    from iopermit.translate.frontend.declare import Declarations

Label = int

UNKNOWN = Type("int", 0, 0)


@dataclass
class Frame:
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
    real_longs: int = 0
    """The largest number of real longs that a hook names."""


class Lowering:
    """Lowers hooks into steps, calls in place."""

    def __init__(
        self, design: type[Design], declarations: Declarations, scenario: Scenario
    ) -> None:
        """Prepare to lower hooks of ``design``."""
        self.design, self.scenario = design, scenario
        self.expressions = Expressions(design, declarations)
        self.bulk = BulkOperations(self)
        self.lowered = Lowered()
        self.types: dict[tuple[str, str], Type] = {}
        self.record: Literal["task", "cpu"] = "task"
        self.preemption_off = False
        self.frame: Frame
        self._labels = itertools.count(1000)
        self._aliases: dict[Label, Label] = {}

    # Labels and steps.

    def label(self) -> Label:
        """Return a new label."""
        return next(self._labels)

    def alias(self, label: Label, target: Label) -> None:
        """Make ``label`` mean ``target``: nothing happens between them."""
        self._aliases[label] = target

    def resolve(self, label: Label) -> Label:
        """Return the step that a label finally stands for."""
        while label in self._aliases:
            label = self._aliases[label]
        return label

    def emit(
        self,
        at: Label,
        node: ast.AST,
        body: Sequence[Stmt],
        then: Label | None,
        *,
        label: str = "",
        choices: int = 1,
        guard: Expr = Const(1),  # noqa: B008 - immutable
    ) -> None:
        """Define the step at ``at``: the pending checks, ``body``, and where it goes on."""
        statements = (*self.expressions.out, *body, *(() if then is None else (Goto(then),)))
        self.expressions.out = []
        self.lowered.steps[at] = Step(
            at,
            self.record,
            self.frame.scope.method.site(node),
            statements,
            label,
            self.preemption_off,
            self.frame.calls,
            choices,
            guard,
        )

    @property
    def context(self) -> Context:
        """The context whose local variables are in use."""
        return self.expressions.context

    # Hooks.

    def hook(
        self,
        name: str,
        parameters: dict[str, Value],
        *,
        record: Literal["task", "cpu"],
        off: bool,
        result: Field | None,
    ) -> tuple[Label, Label]:
        """Lower the hook ``name``; return the labels of its entry and of what follows it."""
        method = find_method(self.design, name)
        if method is None:
            message = f"{self.design.__name__} has no source for {name}"
            raise TypeError(message)
        self.record, self.preemption_off = record, off
        self.expressions.context = Context(record)
        entry, after = self.label(), self.label()
        if len(method.parameters) != len(parameters):
            raise method.error(
                method.node,
                f"{name}() takes ({', '.join(method.parameters)})",
                f"{name}(self, {', '.join(parameters)})",
            )
        names = dict(zip(method.parameters, parameters.values(), strict=True))
        self.frame = Frame(Scope(method, names), after, f"{name}.", result)
        self.expressions.scope = self.frame.scope
        self.block(method.body, entry, after)
        return entry, after

    def block(self, body: list[ast.stmt], at: Label, then: Label) -> None:
        """Lower a list of statements between two labels."""
        for statement in body[:-1]:
            middle = self.label()
            self.statement(statement, at, middle)
            at = middle
        if body:
            self.statement(body[-1], at, then)
        else:
            self.alias(at, then)

    # Statements.

    def statement(  # noqa: C901, PLR0912 - one branch per kind of statement
        self, node: ast.stmt, at: Label, then: Label
    ) -> None:
        """Lower one statement."""
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                self.alias(at, then)
            case ast.Assign(targets=[target]):
                self._assign(node, target, node.value, at, then)
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self._declare_local(target, node.annotation)
                self._assign(node, target, value, at, then)
            case ast.AugAssign(target=ast.Attribute() | ast.Name(), op=ast.Add() | ast.Sub()):
                self._augment(node, at, then)
            case ast.If():
                self._if(node, at, then)
            case ast.While():
                self._while(node, at, then)
            case ast.For():
                self._for(node, at, then)
            case ast.With():
                self._with(node, at, then)
            case ast.Return():
                self._return(node, at)
            case ast.Assert():
                self._assert(node, at, then)
            case ast.Expr(value=ast.Call() as call):
                self._call_statement(node, call, at, then)
            case ast.Break() | ast.Continue() if self.frame.loop is not None:
                self.alias(at, self.frame.loop[isinstance(node, ast.Break)])
            case _:
                raise self.error(
                    node,
                    f"the design language has no statement of this kind ({type(node).__name__})",
                    "assignments, if, while, for over range(), with cpu.preemption_disabled(), "
                    "return, assert, calls",
                )

    def error(self, node: ast.AST, message: str, remedy: str = "") -> Exception:
        """Return an error about ``node`` in the method being lowered."""
        return self.frame.scope.method.error(node, message, remedy)

    def _design_call(self, value: ast.expr) -> str | None:
        """Return the method name if ``value`` calls a method of the design that has steps."""
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if (
                name not in EFFECTS and name != "refcount_dec_and_test"
            ):
                method = find_method(self.design, name)
                if method is None:
                    raise self.error(
                        value,
                        f"{self.design.__name__} has no method {name}()",
                        f"def {name}(self, ...):",
                    )
                return name if method.expression is None else None
        return None

    def _assign(
        self, node: ast.stmt, target: ast.expr, value: ast.expr, at: Label, then: Label
    ) -> None:
        name = self._design_call(value)
        if name is not None:
            self._call(node, value, at, then, result=target)
            return
        match value:
            case ast.Call(func=ast.Attribute(attr="extent")):
                self.bulk.extent(node, target, value, at, then)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="allocate")):
                self._allocate(node, target, value, at, then)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="next_sequence")):
                self._next_sequence(node, target, at, then)
            case _:
                result = self.expressions.value(value)
                self.emit(at, node, self.store(node, target, result), then)

    def store(self, node: ast.AST, target: ast.expr, value: Value) -> list[Stmt]:
        """Return the statements that assign ``value``; pending checks come before them."""
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
        if field_type(assigned).join(value.type) is None or assigned.kind == "bitmap":
            raise self.error(
                node,
                f"a {value.type.kind} is assigned to the {assigned.kind} field {assigned.name!r}",
                f"a value of the kind {assigned.kind}",
            )
        self._check_range(assigned, value)
        return [Store(assigned, slot, value.expr)]

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
        if target.id in self.frame.scope.names:
            raise self.error(
                target,
                f"the parameter {target.id!r} is assigned",
                "a local variable with a new name",
            )
        return self.variable(target, self.frame.prefix + target.id, value_type, target.id)

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
        self.types[key] = joined
        variable = joined.field(self.record, name)
        self.lowered.locals[key] = variable
        if visible:
            self.frame.scope.locals[visible] = variable
        return variable

    def _declare_local(self, target: ast.Name, annotation: ast.expr) -> None:
        limits = {"Longs": self.scenario.longs, "bool": 1, "IoplLevel": 3}
        text = ast.unparse(annotation)
        if text in limits:
            kind = "bool" if text == "bool" else "int"
            self.local(target, Type(kind, 0, limits[text]))  # type: ignore[arg-type]  # one of two literals

    def _augment(self, node: ast.AugAssign, at: Label, then: Label) -> None:
        value = ast.BinOp(node.target, node.op, node.value)
        ast.copy_location(value, node)
        result = self.expressions.value(value)
        target = node.target
        if isinstance(target, ast.Attribute) and self._is_refcount(target):
            limit = binary("lt", Const(MAX_REFCOUNT), result.expr)
            if isinstance(node.op, ast.Add):
                self.expressions.out.append(
                    Check(limit, "reference count saturated: references are never dropped")
                )
            result = Value(result.expr, replace(result.type, high=MAX_REFCOUNT))
        self.emit(at, node, self.store(node, target, result), then)

    def _is_refcount(self, target: ast.Attribute) -> bool:
        read = self.expressions.value(target)
        return isinstance(read.expr, Load) and read.expr.field.high == MAX_REFCOUNT

    def _if(self, node: ast.If, at: Label, then: Label) -> None:
        folded = self.expressions.folded(node.test)
        if folded is not None:
            self.block(node.body if folded else node.orelse, at, then)
            return
        yes, no = self.label(), self.label()
        if (
            isinstance(node.test, ast.Call)
            and ast.unparse(node.test.func) == "self.refcount_dec_and_test"
        ):
            self._drop_reference(node.test, at, yes, no)
        else:
            condition = self.expressions.truth(node.test)
            self.emit(at, node.test, [If(condition, (Goto(yes),), (Goto(no),))], None)
        self._branch(node.body, yes, then)
        self._branch(node.orelse, no, then)

    def _branch(self, body: list[ast.stmt], at: Label, then: Label) -> None:
        self.block(body, at, then)

    def _drop_reference(self, call: ast.Call, at: Label, zero: Label, more: Label) -> None:
        held = self.expressions.value(call.args[0])
        count = self.expressions.fields.get((held.type.target, "refcnt"))
        if count is None:
            raise self.error(
                call, f"{held.type.target} has no field 'refcnt'", "refcnt: Refcount = 0"
            )
        self.expressions.check_pointer(call.args[0], held)
        left = self.expressions.temp()
        load = Load(count, held.pointed)
        self.expressions.out.append(Check(equal(load, 0), "reference count underflow"))
        body: list[Stmt] = [
            Let(left, binary("sub", load, Const(1))),
            Store(count, held.pointed, left),
            If(negate(left), (Goto(zero),), (Goto(more),)),
        ]
        self.emit(at, call, body, None)

    def _while(self, node: ast.While, at: Label, then: Label) -> None:
        folded = self.expressions.folded(node.test)
        leaves = any(isinstance(n, ast.Break | ast.Return) for n in ast.walk(node))
        if folded and not leaves:
            raise self.error(
                node, "an unbounded loop: nothing in it ends it", "a condition, `break` or `return`"
            )
        if node.orelse:
            raise self.error(
                node, "the design language has no `else` of a loop", "the statements after the loop"
            )
        body = self.label()
        if folded is None:
            condition = self.expressions.truth(node.test)
            self.emit(at, node.test, [If(condition, (Goto(body),), (Goto(then),))], None)
        else:
            self.alias(at, body if folded else then)
        self._loop_body(node.body, body, at, then)

    def _loop_body(self, statements: list[ast.stmt], at: Label, again: Label, done: Label) -> None:
        outer, self.frame.loop = self.frame.loop, (again, done)
        self.block(statements, at, again)
        self.frame.loop = outer

    def _for(self, node: ast.For, at: Label, then: Label) -> None:
        match node:
            case ast.For(
                target=ast.Name() as target,
                iter=ast.Call(func=ast.Name(id="range"), args=[count]),
                orelse=[],
            ):
                pass
            case _:
                raise self.error(
                    node, "a loop over something else than range(n)", "for i in range(n):"
                )
        value = self.expressions.value(count)
        prefix = f"{self.frame.prefix}{target.id}@{node.lineno}"
        end = self.variable(node, f"{prefix}.end", replace(value.type, low=0))
        index = self.local(target, Type("int", 0, max(0, value.type.high - 1)))
        body, latch = self.label(), self.label()
        enter = If(differ(value.expr, 0), (Goto(body),), (Goto(then),))
        self.emit(
            at,
            node,
            [Store(end, self.context, value.expr), Store(index, self.context, const(0)), enter],
            None,
        )
        self._loop_body(node.body, body, latch, then)
        following = binary("add", Load(index, self.context), Const(1))
        more = binary("lt", following, Load(end, self.context))
        again: tuple[Stmt, ...] = (Store(index, self.context, following), Goto(body))
        self.emit(latch, node, [If(more, again, (Goto(then),))], None, label="next iteration")

    def _with(self, node: ast.With, at: Label, then: Label) -> None:
        manager = node.items[0].context_expr
        simple = len(node.items) == 1 and node.items[0].optional_vars is None
        if not simple or not ast.unparse(manager).endswith(".preemption_disabled()"):
            raise self.error(node, "an unknown `with`", "with cpu.preemption_disabled():")
        inside = self.label()
        self.emit(at, node, [], inside, label="preemption off")
        outer, self.preemption_off = self.preemption_off, True
        self.block(node.body, inside, then)
        self.preemption_off = outer

    def _return(self, node: ast.Return, at: Label) -> None:
        frame = self.frame
        if node.value is None:
            self.alias(at, frame.exit)
        elif self._design_call(node.value) is not None:
            self._call(node, node.value, at, frame.exit, result=frame.result)
        else:
            value = self.expressions.value(node.value)
            body: list[Stmt] = []
            if frame.result is not None:
                body = [
                    Store(self._grown(node, frame.result, value.type), self.context, value.expr)
                ]
            self.emit(at, node, body, frame.exit)

    def _grown(self, node: ast.AST, result: Field, value_type: Type) -> Field:
        """Return the variable that receives a result, with room for ``value_type``."""
        if (self.record, result.name) in self.types:
            return self.variable(node, result.name, value_type)
        return result

    def _assert(self, node: ast.Assert, at: Label, then: Label) -> None:
        condition = self.expressions.truth(node.test)
        text = ast.unparse(node.test)
        if isinstance(node.msg, ast.Constant):
            text = str(node.msg.value)
        self.emit(at, node, [Check(negate(condition), f"kernel assertion failed: {text}")], then)

    # Calls.

    def _call_statement(self, node: ast.stmt, call: ast.Call, at: Label, then: Label) -> None:
        name = self._design_call(call)
        if name is not None:
            self._call(node, call, at, then, result=None)
            return
        match call.func:
            case ast.Attribute(value=ast.Name(id="self"), attr="free"):
                self._free(node, call, at, then)
            case ast.Attribute(attr="load_task_register", value=where):
                cpu = self.expressions.value(where)
                low = self.expressions.fields["cpu", "tr_limit_low"]
                self.emit(at, node, [Store(low, cpu.pointed, const(0))], then)
            case ast.Attribute(attr=attr) if attr in BULK:
                self.bulk.statement(node, call, at, then)
            case _:
                raise self.error(
                    node,
                    f"an unknown operation {ast.unparse(call.func)}()",
                    "a method of the design",
                )

    def _call(
        self,
        node: ast.stmt,
        call: ast.expr,
        at: Label,
        then: Label,
        *,
        result: ast.expr | Field | None,
    ) -> None:
        """Lower a call in place."""
        assert isinstance(call, ast.Call)  # noqa: S101 - narrowed by the caller
        assert isinstance(call.func, ast.Attribute)  # noqa: S101 - narrowed by the caller
        method = find_method(self.design, call.func.attr)
        assert method is not None  # noqa: S101 - checked by _design_call
        if call.keywords or len(call.args) != len(method.parameters):
            takes = ", ".join(method.parameters)
            raise self.error(
                call, f"{method.name}() takes ({takes})", f"self.{method.name}({takes})"
            )
        site = self.frame.scope.method.site(node)
        if (
            any(s.function == method.name for s in self.frame.calls)
            or method.name == self.frame.scope.method.name
        ):
            raise self.error(call, f"{method.name}() calls itself", "a loop")
        arguments = [self._argument(a) for a in call.args]
        receiver = result
        if isinstance(result, ast.Name):
            key = self.frame.prefix + result.id
            receiver = self.variable(
                node, key, self.types.get((self.record, key), Type("result", 0, 0)), result.id
            )
        elif isinstance(result, ast.expr):
            raise self.error(
                node, "the result of a call is assigned to a field", "a local variable first"
            )
        self._inline(
            method,
            arguments,
            Frame(
                Scope(method, dict(zip(method.parameters, arguments, strict=True))),
                then,
                f"{self.frame.prefix}{node.lineno}:{method.name}.",
                receiver if isinstance(receiver, Field) else None,
                (*self.frame.calls, site),
            ),
            at,
        )

    def _inline(self, method: Method, _arguments: list[Value], frame: Frame, at: Label) -> None:
        outer, outer_scope = self.frame, self.expressions.scope
        self.frame, self.expressions.scope = frame, frame.scope
        self.block(method.body, at, frame.exit)
        self.frame, self.expressions.scope = outer, outer_scope

    def _argument(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Name | ast.Constant) or ast.unparse(node).endswith(".current"):
            value = self.expressions.value(node)
            if not self.expressions.out:
                return value
        raise self.error(
            node, "an argument that is computed in the call", "x = ... as a statement, then pass x"
        )

    # Primitives.

    def _allocate(
        self, node: ast.stmt, target: ast.expr, call: ast.Call, at: Label, then: Label
    ) -> None:
        record = ast.unparse(call.args[0]).split(".")[-1] if call.args else ""
        if record not in self.expressions.records.heap:
            raise self.error(
                call, f"{record!r} is no heap class that a field refers to", "self.allocate(Class)"
            )
        slots = self.expressions.records.counts[record]
        kind = Type("ref", 0, slots, record)
        choice: Expr = Context("choice")
        in_use = self.expressions.fields[record, "in_use"]
        defaults = [
            Store(f, choice, const(self.expressions.records.defaults[f.record, f.name]))
            for f in self.expressions.records.fields
            if f.record == record
            and f is not in_use
            and self.expressions.records.defaults.get((f.record, f.name))
        ]
        # Where garbage is no violation, an object that nothing refers to makes room.
        free = Mask("free" if self.scenario.garbage else "available", record)
        lost: list[Stmt] = [] if self.scenario.garbage else [Clear(record, choice)]
        success = [*lost, Store(in_use, choice, const(1)), *defaults]
        ok = self.store(node, target, Value(binary("add", choice, Const(1)), kind))
        failed = self.store(node, target, Value(Const(0), kind))
        full = Check(
            negate(free), f"a {record} more than the {slots} that the model has room for", NO_ROOM
        )
        self.expressions.out.append(full)
        body = [If(equal(choice, slots), tuple(failed), (*success, *ok))]
        fails = const(self.scenario.has(Event.ALLOCATION_FAILS))
        exhausted = every(equal(choice, 0), negate(free))
        possible = Select(
            equal(choice, slots), fails, either(candidate(free, slots, choice), exhausted)
        )
        self.emit(
            at, node, body, then, choices=slots + 1, guard=possible, label=f"allocate {record}"
        )

    def _free(self, node: ast.stmt, call: ast.Call, at: Label, then: Label) -> None:
        held = self.expressions.value(call.args[0])
        text = ast.unparse(call.args[0])
        if held.type.target not in self.expressions.records.heap:
            raise self.error(
                call, f"{text} is no heap object", "a variable or field of type Ref[Class]"
            )
        in_use = Load(self.expressions.fields[held.type.target, "in_use"], held.pointed)
        self.expressions.out.append(Check(equal(held.expr, 0), f"free of NULL: {text}"))
        self.expressions.out.append(Check(negate(in_use), f"double free: {text}"))
        self.emit(at, node, [Clear(held.type.target, held.pointed)], then)

    def _next_sequence(self, node: ast.stmt, target: ast.expr, at: Label, then: Label) -> None:
        values = self.expressions.records.counter_values
        fresh, used = self.expressions.temp(), self.expressions.temp()
        out = self.expressions.out
        out.append(Let(used, Mask("counters")))
        out.append(Let(fresh, Const(0)))
        for value in range(values, 0, -1):
            taken = binary("and", binary("shr", used, Const(value)), Const(1))
            out.append(If(negate(taken), (Let(fresh, Const(value)),)))
        out.append(
            Check(
                equal(fresh, 0),
                f"a number more than the {values} that the model has room for",
                NO_ROOM,
            )
        )
        self.emit(
            at, node, self.store(node, target, Value(fresh, Type("counter", 1, values))), then
        )


def field_type(declared: Field) -> Type:
    """Return the type of a declared field."""
    return Type(declared.kind, declared.low, declared.high or 1, declared.target)


__all__ = ["BOOL", "Lowering"]
