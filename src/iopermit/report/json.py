"""Verdicts as JSON, schema "iopermit/verdict/1" (docs/verdict-schema.md), and every schema."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from iopermit.designs import designs
from iopermit.report.words import below_working_directory, step_text

if TYPE_CHECKING:
    from iopermit.engine.trace import TraceStep, Violation
    from iopermit.engine.verdict import KernelSubject, SearchStatistics, Uncovered, Verdict
    from iopermit.system.scenario import Scenario
    from iopermit.system.site import Site

SCHEMA: Final = "iopermit/verdict/1"
"""Version of the format; another number means that a reader has to change."""

SCHEMAS: Final = (
    "verdict",
    "list",
    "compare",
    "cost",
    "certify",
    "run",
    "promela",
    "cache",
    "reproduction",
    "explain",
    "repaired",
    "sweep",
)
"""What there are schemas of: `iopermit/NAME/1`."""

Object = dict[str, Any]


def verdict_json(verdict: Verdict) -> Object:
    """Return a verdict as an object of JSON."""
    return {
        "schema": SCHEMA,
        "subject": verdict.subject,
        "design": {
            "name": design_name(verdict),
            "file": _real_path(verdict.design_file),
            "options": list(verdict.options),
            "digest": "" if verdict.kernel is not None else file_digest(verdict.design_file),
        },
        "scenario": scenario_json(verdict.scenario),
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "violation": _violation(verdict.violation) if verdict.violation else None,
        "trace": None if verdict.trace is None else [_step(step) for step in verdict.trace],
        "search": {
            "states": verdict.search.states,
            "transitions": verdict.search.transitions,
            "depth": verdict.search.depth,
            "seconds": round(verdict.search.seconds, 3),
            "compile_seconds": round(verdict.search.compile_seconds, 3),
            "memory": verdict.search.memory,
            "exhausted": verdict.search.exhausted,
            "confirmed_full_size": verdict.search.confirmed_full_size,
            "savings": [asdict(saving) for saving in verdict.search.savings],
            **_obligations(verdict.search),
        },
        "uncovered": _uncovered(verdict.uncovered),
        "kernel": None if verdict.kernel is None else kernel_json(verdict.kernel),
        "also": [verdict_json(other) for other in verdict.also],
    }


def _obligations(search: SearchStatistics) -> Object:
    """Return what a solver says of the obligations, if it was asked."""
    return {} if search.obligations is None else {"obligations": asdict(search.obligations)}


def to_text(value: object) -> str:
    """Return JSON text with a line break at its end; only ASCII."""
    return json.dumps(value, indent=2) + "\n"


def schema(name: str = "verdict") -> Object:
    """Return the JSON schema of what a verb prints: a verdict, or another of `SCHEMAS`."""
    file = resources.files("iopermit.report.schemas").joinpath(f"{name}.schema.json")
    text = file.read_text("utf-8")
    loaded: Object = json.loads(text)
    return loaded


def design_name(verdict: Verdict) -> str:
    """Return what ``load_design`` takes to find the design again.

    A user's file may have kept the id of the design that it was copied from; so an id counts
    only together with the file.
    """
    bundled = designs().get(verdict.subject)
    if bundled is not None and _same_file(inspect.getfile(bundled), verdict.design_file):
        return verdict.subject
    return f"{_real_path(verdict.design_file)}:{verdict.subject}"


def _same_file(one: str, other: str) -> bool:
    return not other or Path(one).resolve() == Path(other).resolve()


def _real_path(file: str) -> str:
    return str(Path(file).resolve()) if file else ""


def file_digest(file: str) -> str:
    """Return the SHA-256 of a file; nothing if it cannot be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""


def place(site: Site) -> str:
    """Return ``file:line``, relative to the working directory where the file is below it."""
    return f"{below_working_directory(Path(site.file))}:{site.line}"


def scenario_json(scenario: Scenario) -> Object:
    """Return the bounds of a scenario."""
    return {
        "cpus": scenario.cpus,
        "tasks": scenario.tasks,
        "longs": scenario.longs,
        "events": sorted(event.name for event in scenario.events),
        "unprivileged": scenario.unprivileged,
        "garbage": scenario.garbage,
    }


def kernel_json(kernel: KernelSubject) -> Object:
    """Return which kernel code a verdict is about, and what replay needs to execute it again."""
    return {
        "tree": kernel.tree,
        "patches": list(kernel.patches),
        "reverse": kernel.reverse,
        "configuration": kernel.configuration,
        "without_patches": None if kernel.without is None else asdict(kernel.without),
        "version": kernel.version,
        "compiler": kernel.compiler,
        "sandboxed": kernel.sandboxed,
        "key": kernel.key,
        "bounds": list(kernel.bounds),
        "coverage": {"executed": kernel.covered, "lines": kernel.lines},
        "points": kernel.points,
        "schedule": list(kernel.schedule),
    }


def _violation(violation: Violation) -> Object:
    return {
        "kind": violation.kind,
        "task": violation.task,
        "cpu": violation.cpu,
        "ports": [list(pair) for pair in violation.ports],
        "allowed": [list(pair) for pair in violation.allowed],
        "granted": [list(pair) for pair in violation.granted],
        "owner": violation.owner,
        "message": violation.message,
        "source": place(violation.site) if violation.site else None,
        "needs_privilege": violation.needs_privilege,
        "repeats_every": violation.repeats_every,
    }


def _step(step: TraceStep) -> Object:
    tss = step.after
    return {
        "number": step.number,
        "cpu": step.cpu,
        "task": step.who,
        "event": step.event,
        "arguments": step.arguments,
        "text": step_text(step),
        "source": place(step.source) if step.source else None,
        "function": step.source.function if step.source else None,
        "statement": step.source.text if step.source else None,
        "tss": {
            "io_map_base": tss.io_map_base,
            "clear": [list(pair) for pair in tss.clear],
            "limit_low": tss.limit_low,
        },
        "label": step.label,
    }


def _uncovered(uncovered: Uncovered) -> Object:
    return {
        "statements": [
            {"source": place(site), "function": site.function, "statement": site.text}
            for site in uncovered.statements
        ],
        "events": list(uncovered.events),
        "not_asked": list(uncovered.not_asked),
        "vacuous": list(uncovered.vacuous),
        "longs": uncovered.longs,
    }
