"""What a transition of the model does, in the terms in which full size executes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.system.execution import CONTINUE, Action
from iopermit.translate.native.shared.labels import TransitionKind, TransitionLabel, rules_of

if TYPE_CHECKING:
    from iopermit.search.exploration.memory import Words
    from iopermit.search.exploration.native import NativeFunctions
    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.model.model import Model, Step


@dataclass(frozen=True)
class AtomicTransition:
    """One atomic transition of the model without reductions."""

    action: Action
    step: Step | None
    """The step that is executed; None for an event or a switch that starts."""
    label: int
    task: int
    """The task slot that the CPU executes before it; idle tasks follow the tasks."""


def transition(model: Model, native: NativeFunctions, state: Words, label: int) -> AtomicTransition:
    """Return what a transition of the model without reductions does."""
    return transition_of(model, native.compiled.packing.values(native.unpack(state)), label)


def transition_of(model: Model, values: InitialValues, label: int) -> AtomicTransition:
    """Return what a transition does, from the values of the fields of the state before it."""
    cpu, kind, number = TransitionLabel.decode(label)
    task = values["cpu", "current"][cpu] - 1
    if kind == TransitionKind.STEP:
        pc = values["cpu", "pc"][cpu] or values["task", "pc"][task]
        step = model.steps[pc]
        return AtomicTransition(
            Action(cpu, CONTINUE, (), number if step.choices > 1 else None), step, label, task
        )
    rule = rules_of(model, kind)[number]
    return AtomicTransition(Action(cpu, rule.event, rule.arguments), None, label, task)
