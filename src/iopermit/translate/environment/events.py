"""The events that a task can start, as rules and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.events import Precondition, Who, events_of
from iopermit.system.events.hooks import RETURN_TO_USER
from iopermit.translate.environment.effects import forget_refusals
from iopermit.translate.environment.operations import OperationLowering
from iopermit.translate.environment.scheduler import on_no_cpu
from iopermit.translate.environment.specification import Specification
from iopermit.translate.frontend.types import pointer
from iopermit.translate.model.builder import binary, candidate, const, differ, equal, every
from iopermit.translate.model.model import Rule
from iopermit.translate.model.nodes import (
    ALWAYS,
    CPU,
    KERNEL_THREAD,
    TASK,
    USER,
    Const,
    Expr,
    Goto,
    Load,
    Mask,
    StepNumber,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from iopermit.system.events import Event
    from iopermit.system.events.arguments import Choice
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.environment.effects import Operands
    from iopermit.translate.frontend.step_builder import Label


class Events:
    """Adds the events of a scenario to an environment."""

    def __init__(self, builder: EnvironmentBuilder) -> None:
        """Add to ``builder``."""
        self.builder = builder
        self._entries: dict[str, Label | None] = {}
        self._lowered: dict[str, OperationLowering] = {}
        events, has_hook = builder.scenario.events, builder.has_hook
        self._possible = {who: events_of(who, events, has_hook) for who in Who}
        """What each kind of task, and nobody's CPU, can do in the scenario."""

    def add(self) -> None:
        """Add the way back to user mode, and every event."""
        self.builder.return_label = self._return_path()
        for who, rules, back in (
            (Who.USER, self.builder.user_rules, self.builder.return_label),
            (Who.KERNEL_THREAD, self.builder.thread_rules, KERNEL_THREAD),
        ):
            for event in self._possible[who]:
                rules.extend(self._rules(event, back))

    def _return_path(self) -> Label:
        if not self.builder.has_hook(RETURN_TO_USER.name):
            return USER
        parameters = {"cpu": pointer("cpu", CPU), "task": pointer("task", TASK)}
        entry, after = self.builder.hook(RETURN_TO_USER, parameters)
        self.builder.steps.alias(after, self._entry_of_user_mode())
        label = "return to user mode: interrupts off"
        return self.builder.add_step([Goto(entry)], label, may_sleep=True)

    def _entry_of_user_mode(self) -> Label:
        """Return where the hook of the way back leads: to user mode, or to a step before it."""
        end_of_row = Specification(self.builder).end_of_row()
        if not end_of_row:
            return USER
        body, label = [*end_of_row, Goto(USER)], "the task enters user mode"
        return self.builder.add_step(body, label, off=not RETURN_TO_USER.preemptible)

    def _rules(self, event: Event, back: Label) -> Iterator[Rule]:
        """Yield a rule for each choice of arguments; without any step it leads ``back``."""
        lowered = self._operation(event)
        entry = self._entries[lowered.operation.name]
        start = back if entry is None else entry
        goes_on = lowered.operation.counts_refusals
        begun = [] if goes_on else forget_refusals(self.builder, TASK)
        for choice in event.choices(self.builder.scenario):
            guard = possible(self.builder, event, choice)
            body = (*begun, *lowered.at_once(_constants(event, choice)), Goto(start))
            yield Rule(event.name, guard, body, tuple(choice.items()), start)

    def _operation(self, event: Event) -> OperationLowering:
        """Return the operation of an event, whose steps are added once."""
        operation = event.operation
        assert operation is not None
        if operation.name not in self._lowered:
            doing = [e for who in Who for e in self._possible[who] if e.operation == operation]
            fixed = {name for e in doing for name in e.fixed}
            never = {name for name in fixed if not any(e.fixed.get(name, True) for e in doing)}
            lowered = OperationLowering(self.builder, operation, never)
            self._lowered[operation.name] = lowered
            self._entries[operation.name] = lowered.add_steps()
        return self._lowered[operation.name]


def _constants(event: Event, choice: Choice) -> Operands:
    """Return the arguments of an event as constants: ports as a mask of longs, a task's slot."""
    values = event.values(choice, lambda first, end: (1 << end) - (1 << first))
    return {name: const(value) for name, value in values.items()}


# When an event is possible.


def possible(builder: EnvironmentBuilder, event: Event, choice: Choice) -> Expr:
    """Return when an event is possible with some arguments, for one who could do it."""
    return _GUARDS[event.guard](builder, choice)


def _always(_: EnvironmentBuilder, __: Choice) -> Expr:
    return ALWAYS


def _privileged(builder: EnvironmentBuilder, _: Choice) -> Expr:
    return Load(builder.privileged, TASK)


def _free_slot(builder: EnvironmentBuilder, choice: Choice) -> Expr:
    return candidate(Mask("free", "task"), builder.scenario.tasks, Const(choice["child"]))


def _stoppable(builder: EnvironmentBuilder, choice: Choice) -> Expr:
    waiting = equal(Load(builder.pc, Const(choice["target"])), StepNumber(builder.return_label))
    return every(waiting, *on_no_cpu(builder, choice["target"]))


def _refused(builder: EnvironmentBuilder, choice: Choice) -> Expr:
    specification = Specification(builder)
    if choice["granted"]:
        return specification.refuses(CPU, TASK)
    allowed, promised = specification.allowed(CPU, TASK), specification.promised(TASK)
    refused = binary("xor", allowed, builder.all_ports())
    return differ(binary("and", refused, binary("xor", promised, builder.all_ports())), 0)


def _others_stay_up(builder: EnvironmentBuilder, choice: Choice) -> Expr:
    """A CPU that comes up goes on with the task that it has, as no other does."""
    cpus = [Const(cpu) for cpu in range(builder.scenario.cpus)]
    up = [differ(Load(builder.current, c), Load(builder.following, c)) for c in cpus]
    elsewhere = [differ(CPU, choice["home"])] if "home" in choice else []
    return every(const(len(cpus) > 1), *up, *elsewhere)


_GUARDS: Final[Mapping[Precondition, Callable[[EnvironmentBuilder, Choice], Expr]]] = {
    Precondition.NONE: _always,
    Precondition.PRIVILEGED: _privileged,
    Precondition.FREE_SLOT: _free_slot,
    Precondition.STOPPABLE: _stoppable,
    Precondition.REFUSED: _refused,
    Precondition.OTHERS_STAY_UP: _others_stay_up,
}
