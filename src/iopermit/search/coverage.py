"""What a search never did, and which statement had no room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.engine.ending import NoRoom
from iopermit.engine.verdict import Uncovered
from iopermit.system.events import all_events
from iopermit.translate.model.nodes import NO_ROOM, Check
from iopermit.translate.model.walk import statements
from iopermit.translate.native.shared.labels import RULE_KINDS, rules_of

if TYPE_CHECKING:
    from iopermit.search.exploration.memory import Words
    from iopermit.search.exploration.native import NativeFunctions
    from iopermit.search.refinement import Searched

WITHOUT_GRANTS: Final = ("loss", "gain without CAP_SYS_RAWIO")
"""What cannot be where no port is ever granted."""


def uncovered(search: Searched) -> Uncovered:
    """Return the statements that no schedule reached and the events that never happened."""
    model, covered = search.source.model, search.result.covered
    scenario, layout = search.source.problem.scenario, search.functions.compiled.coverage
    reached = {s.site for pc, s in model.steps.items() if covered[layout.step(pc)]}
    missing = {s.site for s in model.steps.values() if s.site is not None} - reached
    happened = {
        rule.event
        for kind in RULE_KINDS
        for number, rule in enumerate(rules_of(model, kind))
        if covered[layout.rule(kind, number)]
    }
    started = [event for event in scenario.events if event.part_of is None]
    return Uncovered(
        tuple(sorted((s for s in missing if s), key=lambda s: (s.file, s.line, s.column))),
        tuple(sorted(event.name for event in started if event.name not in happened)),
        tuple(sorted(event.name for event in all_events() - scenario.events)),
        () if covered[layout.grant] else WITHOUT_GRANTS,
        0 if scenario.longs >= model.exact_longs else model.exact_longs,
        model.longs_site,
    )


def what_has_no_room(functions: NativeFunctions, state: Words) -> NoRoom:
    """Return which statement needed more than the model has room for, in the last state."""
    model = functions.compiled.model
    values = functions.compiled.packing.values(functions.unpack(state))
    for pc in (*values["cpu", "pc"], *values["task", "pc"]):
        step = model.steps.get(pc)
        if step is None or step.site is None:
            continue
        for statement in statements(step.body):
            if isinstance(statement, Check) and statement.verdict == NO_ROOM:
                return NoRoom(step.site, statement.message)
    return NoRoom()
