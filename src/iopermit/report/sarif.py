"""Verdicts as SARIF 2.1.0 (OASIS standard), which code hosts and editors show beside the code.

Beyond the standard it keeps to what GitHub code scanning asks for: names relative to the root of
the repository, a line for every place, rules with a help text and a ``security-severity``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import iopermit
from iopermit.engine.verdict import FaultOrigin
from iopermit.report.findings.codes import FINDINGS, HOMEPAGE
from iopermit.report.findings.identity import file_of, finding_id, place_of
from iopermit.report.findings.source_root import SourceRoot
from iopermit.report.words import headline, step_text, subject, what_is_open

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.trace import TraceStep
    from iopermit.engine.verdict import Verdict, WithoutPatches
    from iopermit.report.findings.codes import Code
    from iopermit.system.site import Site

Object = dict[str, Any]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_OPEN: Final = "undetermined"
FINGERPRINT: Final = "iopermitFinding/v1"
"""The name of the fingerprint; another version means that equal findings get other values."""


def sarif_log(verdict: Verdict) -> Object:
    """Return a verdict, with the other violations found, as one run of a SARIF log."""
    root = SourceRoot(verdict)
    run = {
        "tool": {"driver": _driver()},
        "automationDetails": {"id": f"iopermit/{subject(verdict)}/"},
        "invocations": [_invocation(verdict)],
        "originalUriBaseIds": root.bases(),
        "results": list(_results(verdict, root)),
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver() -> Object:
    return {
        "name": "iopermit",
        "semanticVersion": iopermit.__version__,
        "informationUri": HOMEPAGE,
        "rules": [_rule(code) for code in FINDINGS],
    }


def _rule(code: Code) -> Object:
    properties: Object = {"tags": ["kernel", "x86"], "precision": "very-high"}
    if code.severity is not None:
        properties["tags"] = ["security", *properties["tags"]]
        # GitHub reads a number in a string.
        properties["security-severity"] = f"{code.severity:.1f}"
    texts = f"{code.meaning}\n\n{code.remedy}"
    return {
        "id": code.code,
        "name": "".join(word.capitalize() for word in code.title.split()),
        "shortDescription": {"text": code.summary},
        "fullDescription": {"text": code.meaning},
        "help": {"text": texts, "markdown": f"**{code.summary}**\n\n{texts}"},
        "helpUri": code.url,
        "defaultConfiguration": {"level": "warning" if code.severity is None else "error"},
        "properties": properties,
    }


def _invocation(verdict: Verdict) -> Object:
    level = "warning" if verdict.verdict == _OPEN else "note"
    notes = [(level, headline(verdict))]
    if left := what_is_open(verdict):
        notes.append(("warning", left))
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": text}} for level, text in notes
        ],
    }


def _results(verdict: Verdict, root: SourceRoot) -> Iterator[Object]:
    """Yield each violation, and what a limit left open: without any result a design holds."""
    for one in (verdict, *verdict.also):
        if one.violation is not None:
            yield _violation(one, root)
    left = headline(verdict) if verdict.verdict == _OPEN else what_is_open(verdict)
    if left:
        yield _result(_OPEN, "warning", left, verdict, root)


def _result(code: str, level: str, text: str, verdict: Verdict, root: SourceRoot) -> Object:
    return {
        "ruleId": code,
        "ruleIndex": [each.code for each in FINDINGS].index(code),
        "level": level,
        "message": {"text": text},
        "locations": [_location(place_of(verdict), verdict, root)],
        "partialFingerprints": {FINGERPRINT: finding_id(verdict)},
    }


def _violation(verdict: Verdict, root: SourceRoot) -> Object:
    violation = verdict.violation
    assert violation is not None  # the caller takes violated verdicts only
    result = _result(violation.kind, "error", headline(verdict), verdict, root)
    if verdict.kernel is not None and verdict.kernel.without is not None:
        result |= _baseline(verdict.kernel.without)
    if verdict.trace:
        result["codeFlows"] = [_code_flow(verdict, root)]
    return result


def _baseline(without: WithoutPatches) -> Object:
    """Return whether a result is there without the patches, too (`baselineState`)."""
    match without.origin:
        case FaultOrigin.INTRODUCED | FaultOrigin.DIFFERENT:
            return {"baselineState": "new"}
        case FaultOrigin.ALREADY_THERE:
            return {"baselineState": "unchanged"}
    return {}


def _code_flow(verdict: Verdict, root: SourceRoot) -> Object:
    """Return the schedule: one thread flow for each CPU, steps in order of execution."""
    steps = verdict.trace or ()
    flows = []
    for cpu in sorted({step.cpu for step in steps}):
        own = [step for step in steps if step.cpu == cpu]
        locations = [
            _flow_location(step, _place(own, n), verdict, root) for n, step in enumerate(own)
        ]
        flows.append({"id": f"CPU {cpu}", "locations": locations})
    return {"threadFlows": flows}


def _place(steps: list[TraceStep], index: int) -> Site | None:
    """Return where a step of a CPU is; an event is where the statements go on, or went last."""
    around = [*steps[index:], *reversed(steps[:index])]
    return next((step.source for step in around if step.source is not None), None)


def _flow_location(
    step: TraceStep, site: Site | None, verdict: Verdict, root: SourceRoot
) -> Object:
    location = _location(site, verdict, root)
    location["message"] = {"text": f"CPU {step.cpu}, {step.who}: {step_text(step)}"}
    return {"executionOrder": step.number, "location": location}


def _location(site: Site | None, verdict: Verdict, root: SourceRoot) -> Object:
    """Return a place. Without a statement it is the first line: code hosts show no file as such."""
    file, line = (site.file, site.line) if site is not None else (file_of(verdict), 1)
    return {
        "physicalLocation": {
            "artifactLocation": root.artifact(file),
            "region": {"startLine": max(1, line)},
        }
    }
