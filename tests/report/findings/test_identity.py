"""Tests of iopermit.report.findings.identity: equal faults are told to be equal, others are not."""

from dataclasses import replace
from pathlib import Path

from tests.support.report.schedules import review_story
from tests.support.report.verdicts import CRASH, GARBAGE, HOLDS, LEAK_OF_A_TREE, UNDETERMINED

from iopermit.engine.verdict import Verdict
from iopermit.report.findings.identity import PORT_CALLS, file_of, finding_id, place_of
from iopermit.system.scenario import Scenario


def moved(verdict: Verdict, **changes: object) -> Verdict:
    """Return a verdict whose violation is at another statement."""
    assert verdict.violation is not None
    assert verdict.violation.site is not None
    site = replace(verdict.violation.site, **changes)  # type: ignore[arg-type]  # its fields
    return replace(verdict, violation=replace(verdict.violation, site=site))


def test_it_has_sixteen_digits() -> None:
    """An identity is of hexadecimal digits, as short as can be quoted in a mail."""
    assert len(finding_id(CRASH)) == 16
    assert int(finding_id(CRASH), 16)


def test_ports_lines_and_bounds_do_not_matter() -> None:
    """The same fault with other ports, in another line or a larger scenario has one identity."""
    story = review_story()
    assert story.violation is not None
    other = replace(story.violation, ports=((0, 7),), message="task C may use ports 0-7")
    same = [
        replace(story, violation=other),
        moved(story, line=7, column=1),
        replace(story, scenario=Scenario(2, 3, 2)),
    ]
    assert {finding_id(each) for each in same} == {finding_id(story)}


def test_another_fault_has_another_identity() -> None:
    """Kind, options, function and statement tell faults apart."""
    others = [
        CRASH,
        GARBAGE,
        UNDETERMINED,
        replace(CRASH, options=("lazy",)),
        moved(CRASH, function="fork"),
        moved(CRASH, text="pass"),
    ]
    assert len({finding_id(each) for each in others}) == len(others)


def test_the_place_of_the_checkout_does_not_matter(tmp_path: Path) -> None:
    """Two clones of one repository give a fault one identity."""
    found = set()
    for clone in ("one", "two"):
        (tmp_path / clone / ".git").mkdir(parents=True)
        file = str(tmp_path / clone / "own.py")
        found.add(finding_id(moved(replace(CRASH, design_file=file), file=file)))
    assert len(found) == 1


def test_broken_rules_are_told_apart_by_what_they_say() -> None:
    """A broken rule has no statement: its message is what tells it from another one."""
    assert LEAK_OF_A_TREE.violation is not None
    broken = [
        replace(
            LEAK_OF_A_TREE,
            violation=replace(LEAK_OF_A_TREE.violation, kind="rule", site=None, message=message),
        )
        for message in ("ioperm() returns 0", "nobody calls exit_thread()")
    ]
    assert len({finding_id(each) for each in broken}) == 2


def test_without_a_statement_to_blame_it_is_the_last_one() -> None:
    """Garbage has no statement of its own; it is shown where the schedule ended."""
    story = review_story()
    assert story.violation is not None
    assert story.trace is not None
    blamed = replace(story, violation=replace(story.violation, site=None))
    executed = [step.source for step in story.trace if step.source is not None]
    assert place_of(blamed) == executed[-1]
    assert place_of(HOLDS) is None


def test_what_has_no_place_is_shown_at_a_file() -> None:
    """A verdict without a statement is at the design's file, or where a tree has its ioperm()."""
    assert file_of(replace(HOLDS, design_file="/own.py")) == "/own.py"
    assert file_of(replace(LEAK_OF_A_TREE, violation=None)) == PORT_CALLS
