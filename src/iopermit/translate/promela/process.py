"""Prints the steps, events and specification of a model, and the loop that chooses among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from iopermit.translate.model.builder import binary
from iopermit.translate.model.nodes import (
    VERDICT,
    Binary,
    Const,
    Expr,
    Field,
    Operator,
    Select,
    StepParameter,
)
from iopermit.translate.model.walk import map_expression
from iopermit.translate.promela.statements import Printer, is_truth_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iopermit.system.site import Site
    from iopermit.translate.model.model import Model, Rule, Step

_SITUATIONS = {"user": "user_mode", "thread": "between_events", "scheduler": "calm"}
"""The macro that says when rules of a kind are possible."""

_STEPPING = {"task": "in_kernel", "cpu": "switching"}
"""The macro that says when steps of a context are possible."""

_D_STEP = 1200
"""Lines of steps in one d_step, of which Spin accepts 2048 statements (its MAXDSTEP)."""


class PromelaProcess:
    """Prints one model; ``names`` has the variable of each field.

    With ``judges_initial`` an option of the loop fails the assertion where nothing else can happen.
    """

    def __init__(
        self, model: Model, names: dict[Field, str], *, judges_initial: bool = False
    ) -> None:
        self.model, self.judges_initial = model, judges_initial
        fields = {record: model.fields_of(record) for record in model.counts}
        self.printer = Printer(names, fields)
        self.counters = {"task": model.kernel.task_pc, "cpu": model.kernel.cpu_pc}
        self.steps = list(model.steps.values())
        self.rules = {
            "user": model.user_rules,
            "thread": model.thread_rules,
            "scheduler": model.switch_rules,
        }

    def blocks(self) -> Iterator[str]:
        """Yield the parts of the text."""
        yield self._judge()
        for step in self.steps:
            yield self._step(step)
        for kind, rules in self.rules.items():
            for rule in rules:
                yield self._event(kind, rule)
        for run in self._runs():
            yield self._run(run)
        yield self._system()

    # What can happen, one inline each.

    def _judge(self) -> str:
        """Print the specification; it also finds CPU and longs, which only reports need."""
        printer = replace(self.printer, results={VERDICT.name: "verdict"})
        lines = [*printer.body(self.model.specification), "assert(verdict == NONE);"]
        return "/* The specification: may this state be? */\n" + _inline("judge()", lines)

    def _step(self, step: Step) -> str:
        name = f"step_{step.pc}(c{', choice' if _chooses(step) else ''})"
        return _inline(name, [_told(_about(step)), *self._body(step)])

    def _event(self, kind: str, rule: Rule) -> str:
        printer = replace(self.printer, goes_on=self.counters["task"])
        arguments = (f"{name}={value}" for name, value in rule.arguments)
        about = " ".join([rule.event, *arguments])
        return _inline(f"{_name(kind, rule)}(c)", [_told(about), *printer.body(rule.body)])

    def _run(self, run: list[Step]) -> str:
        """Print the choice of the step that a CPU is at."""
        lines = [f":: {self._counter(s, 'c')} == {s.pc} -> step_{s.pc}(c)" for s in run]
        heading = f"steps_{run[0].pc}_to_{run[-1].pc}(c)"
        return _inline(heading, ["if", *lines, "fi"])

    def _runs(self) -> Iterator[list[Step]]:
        """Yield runs of consecutive steps with one outcome, small enough for one d_step."""
        run: list[Step] = []
        room = _D_STEP
        for step in self.steps:
            follows = run and run[-1].pc + 1 == step.pc and run[-1].context == step.context
            size = len(self._body(step)) + 1
            if run and (not follows or size > room or _chooses(step)):
                yield run
                run, room = [], _D_STEP
            if not _chooses(step):
                run.append(step)
                room -= size
        if run:
            yield run

    def _body(self, step: Step) -> list[str]:
        return replace(self.printer, goes_on=self.counters[step.context]).body(step.body)

    def _counter(self, step: Step, cpu: str) -> str:
        name = self.printer.names[self.counters[step.context]]
        return f"{name}[running({cpu})]" if step.context == "task" else f"{name}[{cpu}]"

    # The loop.

    def _system(self) -> str:
        lines = ["active proctype system()", "{", "end:", "   do"]
        if self.judges_initial:
            lines.append("   :: d_step { verdict != NONE -> assert(verdict == NONE) }")
        for cpu in range(self.model.counts["cpu"]):
            lines.append(f"   /* CPU {cpu} */")
            lines += [
                f"   :: d_step {{ {guard} -> {action}; judge() }}"
                for guard, action in self._options(cpu)
            ]
        return "\n".join([*lines, "   od", "}", ""])

    def _options(self, cpu: int) -> Iterator[tuple[str, str]]:
        """Yield guard and action of everything that can happen on a CPU."""
        for run in self._runs():
            counter = self._counter(run[0], str(cpu))
            here = f"{run[0].pc} <= {counter} && {counter} <= {run[-1].pc}"
            action = f"steps_{run[0].pc}_to_{run[-1].pc}({cpu})"
            yield f"{_STEPPING[run[0].context]}({cpu}) && {here}", action
        for step in filter(_chooses, self.steps):
            here = (
                f"{_STEPPING[step.context]}({cpu}) && {self._counter(step, str(cpu))} == {step.pc}"
            )
            for choice in range(step.choices):
                guard = self._guard(here, with_choice(step.guard, choice), cpu)
                yield guard, f"step_{step.pc}({cpu}, {choice})"
        for kind, rules in self.rules.items():
            for rule in rules:
                situation = f"{_SITUATIONS[kind]}({cpu})"
                yield self._guard(situation, rule.guard, cpu), f"{_name(kind, rule)}({cpu})"

    def _guard(self, situation: str, guard: Expr, cpu: int) -> str:
        printer = replace(self.printer, cpu=str(cpu))
        return situation if guard == Const(1) else f"{situation} && {printer.value(guard)}"


def with_choice(expression: Expr, choice: int) -> Expr:
    """Return the expression for one outcome of a step, simplified."""

    def simpler(part: Expr) -> Expr:
        match part:
            case StepParameter("choice"):
                return Const(choice)
            case Binary(op, left, right):
                return _simplified(op, left, right)
            case Select(Const(value), yes, no):
                return yes if value else no
        return part

    return map_expression(expression, simpler)


def _simplified(op: Operator, left: Expr, right: Expr) -> Expr:
    neutral = {"and": Const(1), "or": Const(0)}.get(op)
    if right == neutral and is_truth_value(left):
        return left
    if left == neutral and is_truth_value(right):
        return right
    return Const(0) if op == "and" and Const(0) in (left, right) else binary(op, left, right)


def _chooses(step: Step) -> bool:
    return step.allocation is not None


def _name(kind: str, rule: Rule) -> str:
    values = (str(value) for _, value in rule.arguments)
    return "_".join([kind, rule.event.replace("-", "_"), *values])


def _about(step: Step) -> str:
    place = f"{_place(step.site)}: {step.site.text}" if step.site else ""
    calls = "".join(f", called from {_place(call)}" for call in reversed(step.calls))
    off = ["preemption off"] if step.preemption_off else []
    return "; ".join(part for part in (f"{place}{calls}", step.label, *off) if part)


def _place(site: Site) -> str:
    """Return function, file and line; only the last folder, so that the text is reproducible."""
    file = "/".join(PurePath(site.file).parts[-2:])
    return f"{site.function} ({file}:{site.line})"


def _told(text: str) -> str:
    """Return the statement that tells what happens when Spin replays a schedule."""
    plain = text.replace("\\", "/").replace('"', "'").replace("%", "%%")
    return f'printf("CPU %d, task %d: {plain}\\n", c, running(c));'


def _inline(heading: str, lines: Iterable[str]) -> str:
    body = "".join(f"   {line}\n" for line in lines)
    return f"inline {heading} {{\n{body}}}\n"
