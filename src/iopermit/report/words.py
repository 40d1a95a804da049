"""The words that every form of the report uses: headlines, scenarios, places in the source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import iopermit
from iopermit.engine.ending import with_longs
from iopermit.engine.verdict import FaultOrigin
from iopermit.engine.violation import task_name
from iopermit.system.events import EVENTS, Event, all_events, askable_events, plain_events
from iopermit.system.events.hooks import Kind

if TYPE_CHECKING:
    from iopermit.engine.trace import TraceStep
    from iopermit.engine.verdict import KernelSubject, SearchStatistics, Verdict
    from iopermit.system.events.arguments import Values
    from iopermit.system.scenario import Scenario
    from iopermit.system.site import Site

KINDS: Final = {
    "leak": "port leak",
    "loss": "lost permission",
    "crash": "kernel crash",
    "rule": "broken rule",
    "garbage": "garbage (memory that nobody can free any more)",
}
"""How the report names the kinds of violations."""

_FEW: Final = 5
"""Up to so many missing events are named instead of the ones that are there."""


def headline(verdict: Verdict) -> str:
    """Return the verdict in one sentence."""
    where = f"{subject(verdict)} under {events(verdict.scenario)} ({bounds(verdict.scenario)})"
    if verdict.violation is not None:
        kind = KINDS[verdict.violation.kind]
        where = f"{subject(verdict)}{_origin(verdict.kernel)}"
        return f"BUG: {kind} in {where}: {verdict.violation.message}"
    if verdict.verdict == "holds":
        return f"HOLDS: {where}{_origin(verdict.kernel)}"
    return f"UNDETERMINED: {where}: {verdict.reason}"


def _origin(kernel: KernelSubject | None) -> str:
    """Return where the fault of a tree with patches comes from, as a part of a headline."""
    if kernel is None or kernel.without is None:
        return ""
    patch = "this patch" if len(kernel.patches) == 1 else "these patches"
    by = f"taking {patch} back" if kernel.reverse else patch
    without = f"with {patch}" if kernel.reverse else f"without {patch}"
    return {
        FaultOrigin.NO_FAULT: f", and {without}",
        FaultOrigin.INTRODUCED: f", introduced by {by}",
        FaultOrigin.ALREADY_THERE: f", already there {without}",
        FaultOrigin.DIFFERENT: f", another fault than {without}",
        FaultOrigin.REPAIRED: f", repaired by {by}",
        FaultOrigin.OPEN: "",
    }[kernel.without.origin]


def without_patches(kernel: KernelSubject) -> str:
    """Return what a tree is like without its patches, and how far that was looked into."""
    without = kernel.without
    assert without is not None  # the caller looks
    found = {"holds": "holds", "undetermined": f"undetermined: {without.message}"}.get(
        without.verdict, ""
    )
    if without.kind is not None:
        found = f"{KINDS[without.kind]}: {without.message}"
    if without.every or without.verdict == "undetermined":
        return found
    return f"{found} (the nearest faults were compared; --fail-on introduced compares all)"


def what_is_open(verdict: Verdict) -> str:
    """Return what a search for every violation that ended early leaves open, or nothing."""
    if verdict.violation is None or not verdict.reason:
        return ""
    return f"UNDETERMINED: further violations of {subject(verdict)}: {verdict.reason}"


def warning(verdict: Verdict) -> str:
    """Return what a design that holds may hold for, though it does not elsewhere, or nothing."""
    vacuous, longs = verdict.uncovered.vacuous, verdict.uncovered.longs
    if verdict.verdict != "holds":
        return ""
    if vacuous:
        return (
            "WARNING: no grant was ever possible: no call of ioperm() or iopl() gave a task a "
            "port, so these could not be, and nothing is said about them: "
            f"{', '.join(vacuous)}"
        )
    if longs:
        return (
            f"WARNING: the design names a number of longs, {longs - 1}, which is the whole map "
            f"of this scenario: to tell them apart, {with_longs(longs)}"
        )
    return ""


def subject(verdict: Verdict) -> str:
    """Return the design's id with the switches that are set."""
    return " --option ".join((verdict.subject, *verdict.options))


def bounds(scenario: Scenario) -> str:
    """Return the bounds of a scenario, such as "2 CPUs, 3 tasks, 2 longs"."""
    more = ", the first task unprivileged" if scenario.unprivileged else ""
    return scenario.size + more


def events(scenario: Scenario) -> str:
    """Return which events can happen, as shortly as possible."""
    if scenario.events == all_events():
        return "all events"
    if scenario.events == plain_events():
        return "plain events"
    for base, name in ((all_events(), "all events"), (plain_events(), "plain events")):
        if scenario.events < base and len(base - scenario.events) <= _FEW:
            return f"{name} but {_names(base - scenario.events)}"
    return f"the events {_names(scenario.events)}"


def _names(some: frozenset[Event]) -> str:
    return ", ".join(event.name for event in askable_events() if event in some)


def count(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    plural = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{plural}"


def search_figures(search: SearchStatistics) -> str:
    """Return the figures of a search, such as "3,512 states, depth 21, 0.1 s"."""
    return f"{count(search.states, 'state')}, depth {search.depth}, {search.seconds:.1f} s"


def step_text(step: TraceStep) -> str:
    """Return what happens in a step: the event, the statement, or the step around them."""
    if step.is_event:
        return event_text(step.event, {**step.arguments, **step.values}, step.cpu)
    if step.source is None:
        return step.environment
    part = step.handled
    handled = f"  [bytes {part.first}-{part.last} of {part.size}]" if part is not None else ""
    return step.source.text + handled


def event_text(name: str, values: Values, cpu: int) -> str:
    """Return that an event happens on a CPU, such as "ioperm(0, 65536, 1)"."""
    event = EVENTS[name]
    arguments = () if event.operation is None else event.operation.arguments
    tasks = {name: task_name(values[name]) for name, kind in arguments if kind is Kind.TASK}
    return event.told({**values, **tasks, "cpu": cpu})


def place(site: Site) -> str:
    """Return ``file:line``, of the package's own designs from the package's folder on."""
    package = Path(iopermit.__file__).parent
    path = Path(site.file)
    if path.is_relative_to(package):
        return f"{path.relative_to(package)}:{site.line}"
    return f"{below_working_directory(path)}:{site.line}"


def below_working_directory(path: Path) -> Path:
    """Return an absolute path relative to the working directory, if it is below it."""
    try:
        directory = Path.cwd()
    except FileNotFoundError:  # It was removed.
        return path
    return path.relative_to(directory) if path.is_relative_to(directory) else path
