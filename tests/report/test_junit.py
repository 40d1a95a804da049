"""Tests of iopermit.report.junit: what continuous integration services read."""

from dataclasses import replace
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from tests.support.report.schedules import review_story
from tests.support.report.verdicts import (
    CRASH,
    GARBAGE,
    HOLDS,
    LEAK_OF_A_TREE,
    UNDETERMINED,
    patched,
)

from iopermit.engine.verdict import FaultOrigin, Verdict
from iopermit.report.junit import junit_xml

SCHEMA: Final = xmlschema.XMLSchema(Path(__file__).parents[1] / "data" / "junit" / "junit-10.xsd")
EVERY: Final = [
    HOLDS,
    UNDETERMINED,
    replace(review_story(), also=(CRASH, GARBAGE)),
    replace(CRASH, reason="the limit of 9 states was reached"),
    patched(LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE, only_new=True),
]


def suite(verdict: Verdict) -> ET.Element:
    """Return the test suite, parsed again."""
    found = ET.fromstring(junit_xml(verdict)).find("testsuite")  # noqa: S314 - our own XML
    assert found is not None
    return found


def counts(element: ET.Element) -> tuple[str | None, ...]:
    """Return tests, failures and errors of a suite."""
    return tuple(element.get(name) for name in ("tests", "failures", "errors"))


def test_holds_passes() -> None:
    """A design that holds is a test case that passes."""
    found = suite(HOLDS)
    assert counts(found) == ("1", "0", "0")
    assert [case.get("classname") for case in found.iter("testcase")] == ["linux-6.16"]
    assert all(len(case) == 0 for case in found.iter("testcase"))


def test_each_violation_is_a_failure() -> None:
    """Each violation is a test case that fails, with its own report as text."""
    found = suite(replace(review_story(), also=(CRASH,)))
    first, second = (case.find("failure") for case in found.iter("testcase"))
    assert counts(found) == ("2", "2", "0")
    assert first is not None
    assert second is not None
    assert (first.get("type"), second.get("type")) == ("leak", "crash")
    assert "4  B       ioperm(): copies 24 of 8192 bytes" in (first.text or "")
    assert "crash" not in (first.text or "")


def test_undetermined_does_not_pass() -> None:
    """An undetermined verdict is an error, so that a service does not show it as passed."""
    found = suite(UNDETERMINED)
    assert counts(found) == ("1", "0", "1")
    assert "the time limit of 10 s" in ET.tostring(found, encoding="unicode")


def test_further_violations_that_are_open_do_not_pass() -> None:
    """After the failures found, an error says that a limit may have hidden more."""
    found = suite(replace(CRASH, reason="the limit of 9 states was reached"))
    assert counts(found) == ("2", "1", "1")
    assert "further violations of linux-060aa16f: the limit" in ET.tostring(found, "unicode")


def test_forbidden_characters_are_escaped() -> None:
    """Control characters, which no XML document can have, are shown as escapes; letters stay."""
    found = suite(
        replace(HOLDS, subject="a\x1b[31m\x9b\x00\ud800\ufffe Gr\u00fc\u00dfe \U0001f600")
    )
    (case,) = found.iter("testcase")
    assert (
        case.get("classname")
        == "a\\u001b[31m\\u009b\\u0000\\ud800\\ufffe Gr\u00fc\u00dfe \U0001f600"
    )


def test_a_fault_that_does_not_count_passes_with_its_headline() -> None:
    """Where only what a patch brings counts, what was there is no failure, and is not hidden."""
    verdict = patched(LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE, only_new=True)
    found = suite(verdict)
    assert counts(found) == ("1", "0", "0")
    assert "already there without this patch" in ET.tostring(found, "unicode")
    assert counts(suite(patched(LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE))) == ("1", "1", "0")


@pytest.mark.parametrize("verdict", EVERY, ids=lambda v: f"{v.subject}-{v.verdict}")
def test_every_verdict_keeps_to_the_schema(verdict: Verdict) -> None:
    """The XML of every kind of verdict is what Jenkins' schema of JUnit XML allows."""
    SCHEMA.validate(junit_xml(verdict))


def test_the_schema_refuses_what_is_wrong() -> None:
    """The validation above is one: a test case without a name fails it."""
    assert not SCHEMA.is_valid(junit_xml(HOLDS).replace(" name=", " title="))


def names(verdict: Verdict) -> list[str | None]:
    """Return the names of the test cases."""
    return [case.get("name") for case in suite(verdict).iter("testcase")]


def test_names_do_not_change_with_ports_or_bounds() -> None:
    """Services follow a test by its name: it is the same for other ports, lines and scenarios."""
    story = review_story()
    assert story.violation is not None
    assert story.violation.site is not None
    other = replace(
        story.violation,
        ports=((0, 7),),
        message="task C may use ports 0-7",
        site=replace(story.violation.site, line=1),
    )
    moved = replace(story, violation=other, scenario=CRASH.scenario)
    assert names(moved) == names(story)
    assert names(story)[0] is not None
    assert str(names(story)[0]).startswith("port leak in ")
    assert names(HOLDS) == names(UNDETERMINED)


def test_different_faults_have_different_names() -> None:
    """Two test cases of one suite never have the same name."""
    found = names(replace(review_story(), also=(CRASH, GARBAGE), reason="a limit was reached"))
    assert len(found) == 4
    assert len(set(found)) == 4
