"""Verdicts as SARIF 2.1.0 (OASIS standard), which code hosts and editors show beside the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import iopermit
from iopermit.engine.verdict import FaultOrigin
from iopermit.report.words import KINDS, below_working_directory, headline, step_text, what_is_open

if TYPE_CHECKING:
    from iopermit.engine.trace import TraceStep
    from iopermit.engine.verdict import Verdict, WithoutPatches
    from iopermit.system.site import Site

Object = dict[str, Any]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_RULES: Final = {
    "leak": "The CPU allows a task a port that the task was not granted.",
    "loss": "The CPU refuses a task a port that the task was granted.",
    "crash": "The kernel crashes.",
    "rule": "Kernel code breaks a rule: a wrong result, or a call that is missing.",
    "garbage": "Memory stays allocated that nobody can free any more.",
}


def sarif_log(verdict: Verdict) -> Object:
    """Return a verdict, with the other violations found, as one run of a SARIF log."""
    violated = [one for one in (verdict, *verdict.also) if one.violation is not None]
    run = {
        "tool": {"driver": _driver()},
        "invocations": [_invocation(verdict)],
        "results": [_result(one) for one in violated],
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver() -> Object:
    rules = [
        {"id": kind, "name": KINDS[kind].split(" (")[0], "shortDescription": {"text": text}}
        for kind, text in _RULES.items()
    ]
    return {"name": "iopermit", "semanticVersion": iopermit.__version__, "rules": rules}


def _invocation(verdict: Verdict) -> Object:
    level = "warning" if verdict.verdict == "undetermined" else "note"
    notes = [(level, headline(verdict))]
    if left := what_is_open(verdict):
        notes.append(("warning", left))
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": text}} for level, text in notes
        ],
    }


def _result(verdict: Verdict) -> Object:
    violation = verdict.violation
    assert violation is not None  # the caller takes violated verdicts only
    result: Object = {
        "ruleId": violation.kind,
        "level": "error",
        "message": {"text": headline(verdict)},
        "locations": [_location(violation.site, verdict.design_file)],
    }
    if verdict.kernel is not None and verdict.kernel.without is not None:
        result |= _baseline(verdict.kernel.without)
    if verdict.trace:
        result["codeFlows"] = [_code_flow(verdict)]
    return result


def _baseline(without: WithoutPatches) -> Object:
    """Return whether a result is there without the patches, too (`baselineState`)."""
    match without.origin:
        case FaultOrigin.INTRODUCED | FaultOrigin.DIFFERENT:
            return {"baselineState": "new"}
        case FaultOrigin.ALREADY_THERE:
            return {"baselineState": "unchanged"}
    return {}


def _code_flow(verdict: Verdict) -> Object:
    """Return the schedule: one thread flow for each CPU, steps in order of execution."""
    steps = verdict.trace or ()
    flows = [
        {
            "id": f"CPU {cpu}",
            "locations": [_flow_location(s, verdict.design_file) for s in steps if s.cpu == cpu],
        }
        for cpu in sorted({step.cpu for step in steps})
    ]
    return {"threadFlows": flows}


def _flow_location(step: TraceStep, design_file: str) -> Object:
    location = _location(step.source, design_file)
    location["message"] = {"text": f"CPU {step.cpu}, {step.who}: {step_text(step)}"}
    return {"executionOrder": step.number, "location": location}


def _location(site: Site | None, design_file: str) -> Object:
    artifact = {"artifactLocation": _artifact(site.file if site else design_file)}
    region = {"region": {"startLine": max(1, site.line)}} if site else {}
    return {"physicalLocation": artifact | region}


def _artifact(file: str) -> Object:
    """Return a file as code hosts expect it: relative to the root of the sources, if below it."""
    path = Path(file).resolve()
    relative = below_working_directory(path)
    if relative != path:
        return {"uri": quote(relative.as_posix()), "uriBaseId": "%SRCROOT%"}
    return {"uri": path.as_uri()}
