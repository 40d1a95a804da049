"""Verdicts as JUnit XML, which continuous integration services show as test results."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from iopermit.report.text import report
from iopermit.report.words import bounds, events, headline, subject, what_is_open

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict


def junit_xml(verdict: Verdict) -> str:
    """Return a test suite with one test case for each violation, or one that passed or gave up."""
    cases = [_case(one) for one in (verdict, *verdict.also)]
    if left := what_is_open(verdict):
        cases.append(_open(ET.Element("testcase", classname=subject(verdict), name="all"), left))
    suite = ET.Element(
        "testsuite",
        name="iopermit",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped="0",
        time=f"{verdict.search.seconds:.3f}",
    )
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


def _case(verdict: Verdict) -> ET.Element:
    name = f"{events(verdict.scenario)}, {bounds(verdict.scenario)}"
    if verdict.violation is not None:
        name += f": {verdict.violation.message}"
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
