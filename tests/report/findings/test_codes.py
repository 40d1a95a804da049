"""Tests of iopermit.report.findings.codes: every kind of finding is explained."""

from typing import get_args

from iopermit.engine.trace import ViolationKind
from iopermit.report.findings.codes import FINDINGS, finding
from iopermit.report.words import KINDS


def test_every_kind_of_violation_has_a_code() -> None:
    """The codes are the kinds of violations, and that a search was not ended."""
    kinds = set(get_args(ViolationKind))
    assert {code.code for code in FINDINGS} == kinds | {"undetermined"}
    assert kinds == set(KINDS)


def test_every_code_is_explained() -> None:
    """Each code has whole sentences about what it says, what it means, and what to do."""
    for code in FINDINGS:
        for text in (code.summary, code.meaning, code.remedy):
            assert text[0].isupper(), text
            assert text.endswith("."), text


def test_only_violations_are_graded() -> None:
    """A violation has a severity of CVSS; a verdict that is open is no weakness."""
    graded = {code.code for code in FINDINGS if code.severity is not None}
    assert graded == set(get_args(ViolationKind))
    assert all(0 < (finding(code).severity or 0) <= 10 for code in graded)


def test_a_code_leads_to_its_page() -> None:
    """The address of a code names it on the page about all codes."""
    assert finding("leak").url.endswith("/docs/codes.md#leak")
