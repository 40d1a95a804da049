"""Brings up the CPUs: lowers ``bring_up`` like every hook, and executes it on the first state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.events.hooks import BRING_UP
from iopermit.translate.frontend.longs import NumberOfLongs
from iopermit.translate.frontend.source import DesignError, find_method, is_overridden
from iopermit.translate.frontend.statements import Lowering
from iopermit.translate.frontend.step_builder import Label, StepBuilder
from iopermit.translate.frontend.types import Type, pointer
from iopermit.translate.model.evaluation import Evaluation, FailedCheck, Values
from iopermit.translate.model.nodes import CPU

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.frontend.declare import Declarations
    from iopermit.translate.model.model import Step

_MOST_PASSES: Final = 8
_MOST_STEPS: Final = 100_000
"""Steps after which bring_up() is taken for endless; copying a map of a scenario takes eight."""


def brought_up(
    design: type[Design], scenario: Scenario, declared: Declarations
) -> tuple[Values, NumberOfLongs]:
    """Return the values of all declared fields after every CPU has been brought up in turn.

    Each runs its idle task meanwhile. An allocation gets the lowest free slot. Also return the
    largest number of real longs that ``bring_up`` names.

    Raises:
        DesignError: ``bring_up`` is not in the language, crashes, or does not end.
    """
    values: Values = {(f.record, f.name): [0] * declared.counts[f.record] for f in declared.fields}
    for (record, name), value in declared.defaults.items():
        if record not in declared.heap:
            values[record, name] = [value] * declared.counts[record]
    for cpu in range(scenario.cpus):
        values["cpu", "current"][cpu] = scenario.tasks + cpu + 1
        values["task", "pc"] = [1] * declared.counts["task"]
    method = find_method(design, BRING_UP.name)
    if method is None or not is_overridden(design, BRING_UP.name):
        return values, NumberOfLongs()
    steps, entry, end = _lowered(design, scenario, declared)
    fields = [*declared.fields, *steps.lowered.locals.values()]
    for field in steps.lowered.locals.values():
        values[field.record, field.name] = [0] * scenario.cpus
    for cpu in range(scenario.cpus):
        _run(steps.lowered.steps, (entry, end), Evaluation(fields, values, {"cpu": cpu}))
    # What is left in local variables is dead, and so 0 in the first state.
    declared_values = {(f.record, f.name): values[f.record, f.name] for f in declared.fields}
    return declared_values, steps.expressions.longs.named


def _lowered(
    design: type[Design], scenario: Scenario, declared: Declarations
) -> tuple[StepBuilder, Label, Label]:
    """Return the steps of bring_up(), and the labels of its entry and of its end."""
    types: dict[tuple[str, str], Type] = {}
    for _ in range(_MOST_PASSES):
        known = dict(types)
        steps = StepBuilder(design, declared, scenario)
        steps.types = types
        parameters = {"cpu": pointer("cpu", CPU)}
        entry, after = Lowering(steps).hook(
            BRING_UP.name, parameters, record="cpu", off=True, result=None
        )
        if known == types:
            break
    final = steps.resolved()
    return steps, final[entry], final[after]


def _run(steps: dict[Label, Step], labels: tuple[Label, Label], on: Evaluation) -> None:
    """Execute steps from one label up to another."""
    at, end = labels
    for _ in range(_MOST_STEPS):
        if at == end:
            return
        step = steps[at]
        if step.allocation is not None:
            free = on.value(step.allocation.free)
            on.parameters["choice"] = (free & -free).bit_length() - 1 if free else 0
        try:
            target = on.execute(step.body)
        except FailedCheck as failure:
            assert step.site is not None
            raise DesignError(
                step.site, f"bring_up() crashes: {failure}", "a CPU comes up without a fault"
            ) from failure
        assert target is not None
        at = target
    site = steps[at].site
    assert site is not None
    raise DesignError(
        site, f"bring_up() does not end within {_MOST_STEPS:,} steps", "a loop that ends"
    )
