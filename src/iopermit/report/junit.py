"""Verdicts as JUnit XML, which continuous integration services show as test results."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from iopermit.report.findings.codes import finding
from iopermit.report.findings.identity import finding_id, place_of
from iopermit.report.text import report
from iopermit.report.words import bounds, events, headline, subject, what_is_open

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_WHOLE: Final = "every reachable state"
"""The name of the test that passes if a design holds."""

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict


def junit_xml(verdict: Verdict) -> str:
    """Return a test suite with one test case for each violation, or one that passed or gave up."""
    cases = [_case(one) for one in (verdict, *verdict.also)]
    if left := what_is_open(verdict):
        cases.append(_open(ET.Element("testcase", classname=subject(verdict), name=_WHOLE), left))
    suite = ET.Element(
        "testsuite",
        name="iopermit",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped="0",
        time=f"{verdict.search.seconds:.3f}",
    )
    suite.append(_properties(verdict))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    for element in root.iter():
        element.text = _allowed(element.text) if element.text else element.text
        element.attrib.update({name: _allowed(value) for name, value in element.items()})
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _allowed(text: str) -> str:
    """Return text with escapes for what no XML document can, or should, have (XML 1.0, 2.2)."""
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _properties(verdict: Verdict) -> ET.Element:
    """Return what the verdict is about: what may change from run to run is in no name."""
    element = ET.Element("properties")
    facts = {
        "verdict": verdict.verdict,
        "scenario": bounds(verdict.scenario),
        "events": events(verdict.scenario),
        "states": str(verdict.search.states),
    }
    for name, value in facts.items():
        ET.SubElement(element, "property", name=f"iopermit.{name}", value=value)
    return element


def _name(verdict: Verdict) -> str:
    """Return a name that a test keeps: services tell by it what was repaired, and what is new.

    Of a violation it has the kind, the function and the identity, which ports and lines do not
    change; where there is none it is always the same, so that a limit that was reached in one run
    and not in the next is one test.
    """
    if verdict.violation is None:
        return _WHOLE
    site = place_of(verdict)
    where = f" in {site.function}()" if site is not None and site.function else ""
    return f"{finding(verdict.violation.kind).title}{where} [{finding_id(verdict)}]"


def _case(verdict: Verdict) -> ET.Element:
    name = _name(verdict)
    seconds = f"{verdict.search.seconds:.3f}"
    case = ET.Element("testcase", classname=subject(verdict), name=name, time=seconds)
    without = None if verdict.kernel is None else verdict.kernel.without
    if without is not None and without.excuses:
        ET.SubElement(case, "system-out").text = headline(verdict)
    elif verdict.violation is not None:
        failure = ET.SubElement(case, "failure", type=verdict.violation.kind)
        failure.set("message", headline(verdict))
        failure.text = "\n".join(line.text for line in report(replace(verdict, also=())))
    elif verdict.verdict == "undetermined":
        _open(case, headline(verdict))
    return case


def _open(case: ET.Element, what: str) -> ET.Element:
    ET.SubElement(case, "error", type="undetermined", message=what)
    return case
