"""What checking a certificate came to, as text and as JSON (schema "iopermit/certify/1")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.report.json import scenario_json
from iopermit.system.events import all_events

if TYPE_CHECKING:
    from iopermit.certify.checker import Certified

SCHEMA: Final = "iopermit/certify/1"
"""Version of the format; another number means that a reader has to change."""

_NAMES: Final = {
    "symmetry": "names of tasks, CPUs and heap objects",
    "counters": "values of sequence numbers",
}


def certified_text(result: Certified, *, short: bool = False) -> str:
    """Return what was found, for people; ``short``: the headline only."""
    header, scenario = result.header, result.scenario
    options = "".join(f" --option {option}" for option in header.options)
    names = sorted(event.name for event in scenario.events)
    events = "all events" if scenario.events == all_events() else ", ".join(names)
    subject = f"{header.design}{options} ({scenario.size}; {events})"
    if result.refutation:
        where = f" (state {result.member} of the file)" if result.member >= 0 else ""
        return f"REFUTED: {subject}: {result.refutation}{where}\n"
    lines = [f"VERIFIED: {subject}"]
    if not short:
        ignored = " and ".join(_NAMES[name] for name in header.reductions)
        apart = f"; {ignored} do not matter" if ignored else ""
        lines += [
            f"  the initial state is among {result.members:,} states{apart}",
            f"  each of their {result.transitions:,} transitions leads to one of them",
            "  none of them violates the specification",
            f"  {result.seconds:.1f} s, {result.processes} process{'es' * (result.processes > 1)}",
        ]
    return "\n".join(lines) + "\n"


def certified_json(result: Certified) -> dict[str, Any]:
    """Return what was found as an object of JSON."""
    header = result.header
    return {
        "schema": SCHEMA,
        "result": "refuted" if result.refutation else "verified",
        "reason": result.refutation,
        "state": result.member if result.member >= 0 else None,
        "design": {
            "name": header.design,
            "class": header.design_class,
            "options": list(header.options),
            "source": header.source,
        },
        "scenario": scenario_json(result.scenario),
        "reductions": list(header.reductions),
        "states": header.states,
        "members": result.members,
        "transitions": result.transitions,
        "seconds": round(result.seconds, 3),
        "processes": result.processes,
    }
