"""A second, simple reading of models: explicit states in Python, to check the printed forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import (
    CRASH,
    FIRST_STEP,
    FREE,
    KERNEL_THREAD,
    USER,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    Operator,
    Select,
    StepParameter,
    Stmt,
    Store,
    Temp,
)

if TYPE_CHECKING:
    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.model.model import Model, Rule, Step

State = tuple[int, ...]

OPERATIONS: dict[Operator, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
}


class FailedCheckError(Exception):
    """A check of the step failed: the kernel crashes."""


@dataclass
class Execution:
    """One CPU executing something on one state."""

    state: list[int]
    cpu: int
    task: int
    choice: int = 0
    temps: dict[str, int] = field(default_factory=dict)


@dataclass
class Exploration:
    """Everything that can be reached: states, transitions, and how many states violate."""

    states: int
    transitions: int
    verdicts: Counter[int]


Value = Callable[[Execution], int]
Effect = Callable[[Execution], None]


class Interpreter:
    """Executes one model on states that are tuples of all values of all fields."""

    def __init__(self, model: Model, initial: InitialValues) -> None:
        self.model = model
        self.base: dict[Field, int] = {}
        values: list[int] = []
        for declared in model.fields:
            self.base[declared] = len(values)
            values += initial[declared.record, declared.name]
        self.initial = tuple(values)
        self.pcs = {name: model.field(name, "pc") for name in ("task", "cpu")}
        self.current = self.base[model.field("cpu", "current")]
        self.steps = {pc: self._step(step) for pc, step in model.steps.items()}
        user, thread, switch = model.user_rules, model.thread_rules, model.switch_rules
        self.rules = [[self._rule(r) for r in rules] for rules in (user, thread, switch)]
        self.judge = self._body(model.specification, "task")

    def explore(self, limit: int) -> Exploration:
        """Visit every reachable state. Raises OverflowError beyond ``limit`` states."""
        seen, todo, transitions = {self.initial}, [self.initial], 0
        verdicts: Counter[int] = Counter()
        while todo:
            state = todo.pop()
            verdict = self.verdict(state)
            verdicts[verdict] += 1
            for successor in () if verdict else self.successors(state):
                transitions += 1
                if successor not in seen:
                    seen.add(successor)
                    todo.append(successor)
            if len(seen) > limit:
                raise OverflowError(f"more than {limit} states")
        return Exploration(len(seen), transitions, verdicts)

    def verdict(self, state: State) -> int:
        """Return what the specification says about a state."""
        execution = Execution(list(state), 0, 0)
        self.judge(execution)
        return execution.temps["verdict"]

    def successors(self, state: State) -> Iterator[State]:
        """Yield the state after each possible transition."""
        for cpu in range(self.model.counts["cpu"]):
            task = state[self.current + cpu] - 1
            for choice, guard, effect in self._possible(state, cpu, task):
                execution = Execution(list(state), cpu, task, choice)
                if guard(execution):
                    try:
                        effect(execution)
                    except FailedCheckError:
                        execution.state = list(state)
                        execution.state[self.base[self.model.field("globals", "bad")]] = CRASH
                    yield tuple(execution.state)

    def _possible(self, state: State, cpu: int, task: int) -> Iterator[tuple[int, Value, Effect]]:
        switching = state[self.base[self.pcs["cpu"]] + cpu]
        at = state[self.base[self.pcs["task"]] + task]
        next_step = switching or (at if at >= FIRST_STEP else 0)
        if next_step:
            choices, guard, effect = self.steps[next_step]
            yield from ((choice, guard, effect) for choice in range(choices))
        if not switching:
            user, thread, switch = self.rules
            own = {USER: user, KERNEL_THREAD: thread}.get(at, [])
            possible = [*(own if task < self.model.tasks else []), *switch]
            yield from ((0, guard, effect) for guard, effect in possible)

    def _step(self, step: Step) -> tuple[int, Value, Effect]:
        return step.choices, self._value(step.guard), self._body(step.body, step.context)

    def _rule(self, rule: Rule) -> tuple[Value, Effect]:
        return self._value(rule.guard), self._body(rule.body, "task")

    # Statements.

    def _body(self, body: tuple[Stmt, ...], context: str) -> Effect:
        effects = [self._statement(statement, context) for statement in body]

        def execute(execution: Execution) -> None:
            for effect in effects:
                effect(execution)

        return execute

    def _statement(self, statement: Stmt, context: str) -> Effect:
        match statement:
            case Let(temp, value):
                return self._let(temp, self._value(value))
            case Store(place, index, value):
                return self._store(place, self._value(index), self._value(value))
            case Check(bad, _):
                return self._check(self._value(bad))
            case If(condition, then, otherwise):
                parts = self._body(then, context), self._body(otherwise, context)
                return self._if(self._value(condition), *parts)
            case Goto(target):
                own: Value = self._value(StepParameter("task" if context == "task" else "cpu"))
                return self._store(self.pcs[context], own, lambda _: target)
            case Clear(record, index):
                fields = self.model.fields_of(record)
                zeroes = tuple(Store(f, index, Const(0)) for f in fields)
                return self._body(zeroes, context)

    @staticmethod
    def _let(temp: Temp, value: Value) -> Effect:
        def execute(execution: Execution) -> None:
            execution.temps[temp.name] = value(execution)

        return execute

    def _store(self, place: Field, index: Value, value: Value) -> Effect:
        base = self.base[place]
        slots = self.model.counts[place.record]

        def execute(execution: Execution) -> None:
            slot, content = index(execution), value(execution)
            assert 0 <= slot < slots
            assert 0 <= content < 1 << place.width
            execution.state[base + slot] = content

        return execute

    @staticmethod
    def _check(bad: Value) -> Effect:
        def execute(execution: Execution) -> None:
            if bad(execution):
                raise FailedCheckError

        return execute

    @staticmethod
    def _if(condition: Value, then: Effect, otherwise: Effect) -> Effect:
        return lambda execution: (then if condition(execution) else otherwise)(execution)

    # Expressions.

    def _value(self, expression: Expr) -> Value:
        match expression:
            case Const(value):
                result: Value = lambda _: value  # noqa: E731 - one of several
            case StepParameter(context):
                result = attrgetter(context)
            case Temp(name):
                result = lambda execution: execution.temps[name]  # noqa: E731 - as above
            case Load(loaded, index):
                result = self._load(loaded, self._value(index))
            case Binary(op, left, right):
                result = self._binary(op, self._value(left), self._value(right))
            case Select(condition, yes, no):
                parts = (self._value(part) for part in (condition, yes, no))
                result = self._select(*parts)
            case Mask(what, record):
                result = self._mask(what, record)
            case _:
                raise TypeError(expression)
        return result

    def _load(self, loaded: Field, index: Value) -> Value:
        base, slots = self.base[loaded], self.model.counts[loaded.record]

        def load(execution: Execution) -> int:
            slot = index(execution)
            return execution.state[base + slot] if 0 <= slot < slots else 0

        return load

    @staticmethod
    def _binary(op: Operator, left: Value, right: Value) -> Value:
        operation = OPERATIONS[op]
        return lambda execution: operation(left(execution), right(execution))

    @staticmethod
    def _select(condition: Value, yes: Value, no: Value) -> Value:
        return lambda execution: (yes if condition(execution) else no)(execution)

    # Masks.

    def _mask(self, what: str, record: str) -> Value:
        if what == "free":
            return self._free(record)
        kind, shift = ("ref", 1) if what == "referenced" else ("counter", 0)
        held = [f for f in self.model.fields if (f.kind, f.target) == (kind, record)]
        return lambda execution: self._values(held, execution) >> shift

    def _free(self, record: str) -> Value:
        used = self.model.field(record, "pc" if record == "task" else "in_use")
        slots = self.model.tasks if record == "task" else self.model.counts[record]
        base = self.base[used]
        return lambda execution: sum(
            1 << slot for slot in range(slots) if execution.state[base + slot] == FREE
        )

    def _values(self, fields: list[Field], execution: Execution) -> int:
        """Return a mask with a bit for each value that the fields have in any slot."""
        mask = 0
        for held in fields:
            base = self.base[held]
            for value in execution.state[base : base + self.model.counts[held.record]]:
                mask |= 1 << value
        return mask
