"""The initial state of a model: what bring-up leaves, with every task plain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.evaluation import Values
from iopermit.translate.model.nodes import KERNEL_THREAD, USER

if TYPE_CHECKING:
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model

InitialValues = Values


def initial_values(scenario: Scenario, model: Model) -> InitialValues:
    """Return the value of every field of every slot in the initial state.

    Every CPU has been brought up; then the first tasks run, one on each CPU.
    """
    values: InitialValues = {}
    for field in model.fields:
        known = model.brought_up.get((field.record, field.name))
        values[field.record, field.name] = list(known or [0] * model.counts[field.record])
    for slot in range(model.counts["task"]):
        values["task", "pc"][slot] = model.return_pc if slot < scenario.tasks else KERNEL_THREAD
    if scenario.unprivileged:
        values["task", "privileged"][0] = 0
    if ("task", "home") in values:
        values["task", "home"] = [slot % scenario.cpus for slot in range(model.counts["task"])]
    for cpu in range(scenario.cpus):
        running = cpu < scenario.tasks
        values["cpu", "current"][cpu] = cpu + 1 if running else scenario.tasks + cpu + 1
        if running:
            values["task", "pc"][cpu] = USER
    return values
