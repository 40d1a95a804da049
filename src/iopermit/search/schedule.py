"""Turns a path of renamed, merged states into a schedule of single steps with fixed names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.system.execution import Action
from iopermit.translate.ir import FIRST_STEP, Model, Step
from iopermit.translate.native import CPU_SHIFT, STEP, SWITCH_RULE, THREAD_RULE, USER_RULE

if TYPE_CHECKING:
    from iopermit.search.explore import Native, Words
    from iopermit.translate.initial import InitialValues

_CLASS = 0xFF00
_NUMBER = 0xFF
_MOST_STEPS = 100_000


@dataclass(frozen=True)
class Transition:
    """One atomic transition of the model without reductions."""

    action: Action
    step: Step | None
    """The step that is executed; None for an event or a switch that starts."""
    label: int
    task: int
    """The task slot that the CPU executes before it; idle tasks follow the tasks."""


class ScheduleError(Exception):
    """The path cannot be followed without reductions: an error in iopermit."""


def concrete_schedule(
    path: list[Words], reduced: Native, plain: Native, initial: Words
) -> tuple[list[Transition], str]:
    """Return a schedule from ``initial`` along ``path``, and the kind of violation it ends with.

    That may be another kind than the search saw: merged steps can run on past a violation that
    they do not undo (garbage, for example), and the schedule ends with the first one.
    """
    state = initial
    schedule: list[Transition] = []
    if plain.judge(state)[0] != "none":
        return schedule, plain.judge(state)[0]
    for target in path[1:]:
        for label, _ in (s for s in reduced.successors(state) if (s[1] == target).all()):
            found = _micro_steps(state, label, target, reduced, plain)
            if found is not None:
                break
        else:
            message = "no step leads from one state of the path to the next"
            raise ScheduleError(message)
        schedule += [step for step, _ in found]
        state = found[-1][1]
        verdict = plain.judge(state)[0]
        if verdict != "none":
            return schedule, verdict
    message = "the path ends without a violation"
    raise ScheduleError(message)


def _micro_steps(
    state: Words, label: int, target: Words, reduced: Native, plain: Native
) -> list[tuple[Transition, Words]] | None:
    """Return the single steps of one merged transition, or None if it was another one."""
    cpu = label >> CPU_SHIFT
    model = plain.compiled.model
    found = plain.successors(state)
    first = [(other, s) for other, s in found if other == label or _both_steps(other, label)]
    stack = [[(transition(model, plain, state, name), s)] for name, s in reversed(first)]
    for _ in range(_MOST_STEPS):
        if not stack:
            return None
        steps = stack.pop()
        last = steps[-1][1]
        if (reduced.canonical(last) == target).all() or plain.judge(last)[0] != "none":
            return steps
        following = [
            (name, s)
            for name, s in plain.successors(last)
            if name >> CPU_SHIFT == cpu and name & _CLASS == STEP
        ]
        stack += [
            [*steps, (transition(model, plain, last, name), s)] for name, s in reversed(following)
        ]
    return None


def _both_steps(one: int, other: int) -> bool:
    return one >> CPU_SHIFT == other >> CPU_SHIFT and one & _CLASS == STEP == other & _CLASS


def transition(model: Model, native: Native, state: Words, label: int) -> Transition:
    """Return what a transition of the model without reductions does."""
    return transition_of(model, native.compiled.packing.values(native.unpack(state)), label)


def transition_of(model: Model, values: InitialValues, label: int) -> Transition:
    """Return what a transition does, from the values of the fields of the state before it."""
    cpu, kind, number = label >> CPU_SHIFT, label & _CLASS, label & _NUMBER
    task = values["cpu", "current"][cpu] - 1
    if kind == STEP:
        pc = values["cpu", "pc"][cpu] or values["task", "pc"][task]
        step = model.steps[pc]
        return Transition(
            Action(cpu, "step", (), number if step.choices > 1 else None), step, label, task
        )
    rules = {
        USER_RULE: model.user_rules,
        THREAD_RULE: model.thread_rules,
        SWITCH_RULE: model.switch_rules,
    }[kind]
    rule = rules[number]
    return Transition(Action(cpu, rule.event, rule.arguments), None, label, task)


__all__ = [
    "FIRST_STEP",
    "ScheduleError",
    "Transition",
    "concrete_schedule",
    "transition",
    "transition_of",
]
