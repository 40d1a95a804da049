"""Follows a path of renamed, merged states in single steps with fixed names."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Final

from iopermit.engine.errors import ScheduleError
from iopermit.search.counterexample.representatives import representatives
from iopermit.search.counterexample.transitions import AtomicTransition, transition
from iopermit.translate.analyses.late_arguments import EVENT
from iopermit.translate.native.shared.labels import TransitionKind, TransitionLabel, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.search.exploration.memory import Words
    from iopermit.search.exploration.native import NativeFunctions
    from iopermit.translate.model.model import Model

MicroSteps = list[tuple[AtomicTransition, "Words"]]
"""Single steps, each with the state after it."""

_MOST_STEPS: Final = 100_000


def schedule_along(
    path: list[Words], reduced: NativeFunctions, plain: NativeFunctions, initial: Words
) -> tuple[list[AtomicTransition], str]:
    """Return a schedule from ``initial`` along ``path``, and the kind of violation it ends with."""
    verdict = plain.check(initial)[0]
    if verdict != "none":
        return [], verdict
    targets = [frozenset((state.tobytes(),)) for state in path]
    try:
        return _PathFollower(targets, reduced, plain).follow(initial)
    except ScheduleError:
        # With its own names the schedule may come to other representatives of the same states.
        targets = [representatives(reduced, state) for state in path]
        return _PathFollower(targets, reduced, plain).follow(initial)


class _PathFollower:
    """Looks for single steps along a path of states, any of some at each position, depth first.

    A state of the path can stand for several, such as an ioperm() call whose ports nothing has
    looked at yet. Which of them was meant shows later, so it may be necessary to go back.
    """

    def __init__(
        self, path: list[frozenset[bytes]], reduced: NativeFunctions, plain: NativeFunctions
    ) -> None:
        self.path, self.reduced, self.plain = path, reduced, plain
        last = array.array("Q", next(iter(path[-1])))
        self.violation = reduced.check(last)[0]
        self.seen: set[tuple[int, bytes]] = set()

    def follow(self, initial: Words) -> tuple[list[AtomicTransition], str]:
        """Return the schedule and the kind of violation. Raises ScheduleError."""
        open_choices = [self._ways(0, initial)]
        taken: list[MicroSteps] = []
        farthest = 0
        while open_choices:
            way = next(open_choices[-1], None)
            if way is None:
                open_choices.pop()
                if taken:
                    taken.pop()
                continue
            taken.append(way)
            state = way[-1][1]
            verdict = self.plain.check(state)[0]
            if verdict != "none":
                return [step for steps in taken for step, _ in steps], verdict
            farthest = max(farthest, len(taken))
            open_choices.append(self._ways(len(taken), state))
        message = (
            "the path ends without a violation"
            if farthest == len(self.path) - 1
            else "no step leads from one state of the path to the next"
        )
        raise ScheduleError(message)

    def _ways(self, position: int, state: Words) -> Iterator[MicroSteps]:
        """Yield the ways from a state to the one behind a position of the path."""
        key = (position, state.tobytes())
        if position + 1 >= len(self.path) or key in self.seen:
            return
        self.seen.add(key)
        target = self.path[position + 1]
        is_last = position + 2 == len(self.path)
        labels = [
            label
            for label, successor in self.reduced.successors(state)
            if successor.tobytes() in target or (is_last and self._violates(successor))
        ]
        for label in dict.fromkeys(labels):
            yield from _micro_steps(state, label, target, self.reduced, self.plain)

    def _violates(self, state: Words) -> bool:
        """Return whether a state shows what the path ends with.

        An object that nothing refers to has no canonical name: it stays where it was allocated.
        """
        return self.violation != "none" and self.reduced.check(state)[0] == self.violation


def _micro_steps(
    state: Words,
    label: int,
    target: frozenset[bytes],
    reduced: NativeFunctions,
    plain: NativeFunctions,
) -> Iterator[MicroSteps]:
    """Yield the sequences of single steps that a merged transition may be, one to each state.

    A loop that changes nothing comes to the same states again and again.
    """
    cpu = TransitionLabel.decode(label).cpu
    model = plain.compiled.model
    found = plain.successors(state)
    first = [(other, s) for other, s in found if _may_be(model, other, label)]
    stack = [[(transition(model, plain, state, name), s)] for name, s in reversed(first)]
    met: set[bytes] = set()
    for _ in range(_MOST_STEPS):
        if not stack:
            return
        steps = stack.pop()
        last = steps[-1][1]
        if last.tobytes() in met:
            continue
        met.add(last.tobytes())
        if reduced.canonical(last).tobytes() in target or plain.check(last)[0] != "none":
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
