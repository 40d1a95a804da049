"""Turns a path of renamed, merged states into a schedule of single steps with fixed names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.engine.errors import ScheduleError
from iopermit.search.renaming import representatives
from iopermit.system.execution import Action
from iopermit.translate.analyses.late_arguments import EVENT
from iopermit.translate.model.nodes import FIRST_STEP
from iopermit.translate.native.shared.labels import TransitionKind, TransitionLabel, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.search.memory import Words
    from iopermit.search.native import Native
    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.model.model import Model, Step

Steps = list[tuple["Transition", "Words"]]
"""Single steps, each with the state after it."""

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


def concrete_schedule(
    path: list[Words], reduced: Native, plain: Native, initial: Words
) -> tuple[list[Transition], str]:
    """Return a schedule from ``initial`` along ``path``, and the kind of violation it ends with.

    That may be another kind than the search saw: merged steps can run on past a violation that
    they do not undo (garbage, for example), and the schedule ends with the first one.
    """
    verdict = plain.judge(initial)[0]
    if verdict != "none":
        return [], verdict
    targets = [frozenset((state.tobytes(),)) for state in path]
    try:
        return _Follower(targets, reduced, plain).follow(initial)
    except ScheduleError:
        # With its own names the schedule may come to other representatives of the same states.
        targets = [representatives(reduced, state) for state in path]
        return _Follower(targets, reduced, plain).follow(initial)


class _Follower:
    """Looks for single steps along a path of states, any of some at each position, depth first.

    A state of the path can stand for several, such as an ioperm() call whose ports nothing has
    looked at yet. Which of them was meant shows later, so it may be necessary to go back.
    """

    def __init__(self, path: list[frozenset[bytes]], reduced: Native, plain: Native) -> None:
        self.path, self.reduced, self.plain = path, reduced, plain
        self.seen: set[tuple[int, bytes]] = set()

    def follow(self, initial: Words) -> tuple[list[Transition], str]:
        """Return the schedule and the kind of violation. Raises ScheduleError."""
        open_choices = [self._segments(0, initial)]
        segments: list[Steps] = []
        farthest = 0
        while open_choices:
            segment = next(open_choices[-1], None)
            if segment is None:
                open_choices.pop()
                if segments:
                    segments.pop()
                continue
            segments.append(segment)
            state = segment[-1][1]
            verdict = self.plain.judge(state)[0]
            if verdict != "none":
                return [step for part in segments for step, _ in part], verdict
            farthest = max(farthest, len(segments))
            open_choices.append(self._segments(len(segments), state))
        message = (
            "the path ends without a violation"
            if farthest == len(self.path) - 1
            else "no step leads from one state of the path to the next"
        )
        raise ScheduleError(message)

    def _segments(self, position: int, state: Words) -> Iterator[Steps]:
        """Yield the ways from a state to the one behind a position of the path."""
        key = (position, state.tobytes())
        if position + 1 >= len(self.path) or key in self.seen:
            return
        self.seen.add(key)
        target = self.path[position + 1]
        labels = [n for n, s in self.reduced.successors(state) if s.tobytes() in target]
        for label in dict.fromkeys(labels):
            yield from _micro_steps(state, label, target, self.reduced, self.plain)


def _micro_steps(
    state: Words, label: int, target: frozenset[bytes], reduced: Native, plain: Native
) -> Iterator[Steps]:
    """Yield the sequences of single steps that a merged transition may be."""
    cpu = TransitionLabel.decode(label).cpu
    model = plain.compiled.model
    found = plain.successors(state)
    first = [(other, s) for other, s in found if _may_be(model, other, label)]
    stack = [[(transition(model, plain, state, name), s)] for name, s in reversed(first)]
    for _ in range(_MOST_STEPS):
        if not stack:
            return
        steps = stack.pop()
        last = steps[-1][1]
        if reduced.canonical(last).tobytes() in target or plain.judge(last)[0] != "none":
            yield steps
            continue
        following = [
            (name, s)
            for name, s in plain.successors(last)
            if TransitionLabel.decode(name)[:2] == (cpu, TransitionKind.STEP)
        ]
        stack += [
            [*steps, (transition(model, plain, last, name), s)] for name, s in reversed(following)
        ]


def _may_be(model: Model, one: int, label: int) -> bool:
    """Return whether a transition may be what the search made under ``label``.

    Steps are numbered by the outcomes of an allocation, which renaming permutes; an ioperm()
    call may stand for one with other ports.
    """
    if one == label:
        return True
    left, right = TransitionLabel.decode(one), TransitionLabel.decode(label)
    if left[:2] != right[:2] or left.kind not in (TransitionKind.STEP, TransitionKind.USER_RULE):
        return False
    rules = rules_of(model, left.kind)
    return not rules or all(rules[each.number].event == EVENT for each in (left, right))


def transition(model: Model, native: Native, state: Words, label: int) -> Transition:
    """Return what a transition of the model without reductions does."""
    return transition_of(model, native.compiled.packing.values(native.unpack(state)), label)


def transition_of(model: Model, values: InitialValues, label: int) -> Transition:
    """Return what a transition does, from the values of the fields of the state before it."""
    cpu, kind, number = TransitionLabel.decode(label)
    task = values["cpu", "current"][cpu] - 1
    if kind == TransitionKind.STEP:
        pc = values["cpu", "pc"][cpu] or values["task", "pc"][task]
        step = model.steps[pc]
        return Transition(
            Action(cpu, "step", (), number if step.choices > 1 else None), step, label, task
        )
    rule = rules_of(model, kind)[number]
    return Transition(Action(cpu, rule.event, rule.arguments), None, label, task)


__all__ = [
    "FIRST_STEP",
    "Transition",
    "concrete_schedule",
    "transition",
    "transition_of",
]
