"""Builds the model of a design in its environment, in as many passes as the types need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.machine_state import IoMapBase
from iopermit.translate.environment.bring_up import brought_up
from iopermit.translate.environment.builder import EnvironmentBuilder
from iopermit.translate.environment.consulted import consulted
from iopermit.translate.environment.events import Events
from iopermit.translate.environment.hotplug import CpuHotplug
from iopermit.translate.environment.numbering import number_steps
from iopermit.translate.environment.scheduler import ContextSwitching
from iopermit.translate.environment.specification import Specification
from iopermit.translate.frontend.types import pointer
from iopermit.translate.model.builder import equal
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import CPU, FIRST_STEP

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.frontend.types import Type

_EXACT_PASSES: Final = 8
"""Passes in which the types of variables grow by what they need."""
_MAX_PASSES: Final = 24
"""In those behind they double: what is bounded comes to an end."""


def build(design: type[Design], scenario: Scenario) -> Model:
    """Return ``design`` in its environment. Raises DesignError for what the language lacks.

    The types of local variables and the widths of program counters grow until nothing changes.
    """
    types: dict[tuple[str, str], Type] = {}
    widths = 10, 10
    for number in range(_MAX_PASSES):
        known = dict(types)
        builder = EnvironmentBuilder(design, scenario, types, widths)
        builder.steps.widening = number >= _EXACT_PASSES
        needed = _lower(builder)
        if known == types and needed == widths:
            return _finish(builder)
        widths = needed
    raise builder.steps.unbounded or AssertionError("the numbers of steps change in every pass")


def _lower(builder: EnvironmentBuilder) -> tuple[int, int]:
    """Translate everything; return how many bits the pc of a task and of a CPU need."""
    Events(builder).add()
    builder.switch_entry = ContextSwitching(builder).add_switch()
    builder.idle_entries = CpuHotplug(builder).add_steps()
    steps = builder.steps.lowered.steps.values()
    of_cpus = sum(step.context == "cpu" for step in steps)
    lasts = (FIRST_STEP - 1 + max(1, amount) for amount in (len(steps), of_cpus))
    of_task, of_cpu = (last.bit_length() for last in lasts)
    return of_task, of_cpu


def _finish(builder: EnvironmentBuilder) -> Model:
    """Return the model, with numbers for labels."""
    declared = builder.declared
    numbering = number_steps(builder.steps, preemptible=builder.preemptible)
    lowered, specification = builder.steps.lowered, Specification(builder)
    model = Model(dict(declared.counts), builder.kernel_fields, builder.scenario.tasks)
    model.fields = [*declared.fields, *lowered.locals.values()]
    model.heap = tuple(declared.heap)
    model.steps = numbering.steps
    model.preemptible_end = numbering.preemptible_end
    defaults = declared.defaults.items()
    model.idle = {name: value for (record, name), value in defaults if record == "task"}
    model.user_rules = [numbering.rule(rule) for rule in builder.user_rules]
    model.thread_rules = [numbering.rule(rule) for rule in builder.thread_rules]
    model.return_pc = numbering.numbers.get(builder.return_label, builder.return_label)
    entry = numbering.numbers[builder.switch_entry]
    model.switch_rules = ContextSwitching(builder).rules(
        entry, model.return_pc, model.preemptible_end
    )
    begins = {name: numbering.numbers[at] for name, at in builder.idle_entries.items()}
    model.switch_rules += CpuHotplug(builder).rules(begins)
    model.specification = specification.check()
    selected = consulted(builder, "map_in_force", {"cpu": pointer("cpu", CPU)})
    model.map_is_valid = equal(selected, IoMapBase.VALID.value)
    model.consulted = specification.consulted_fields()
    model.brought_up, longs = brought_up(builder.design, builder.scenario, declared)
    named = max(builder.steps.expressions.longs.named, longs, key=lambda each: each.longs)
    model.exact_longs, model.longs_site = named.longs + 1, named.site
    return model
