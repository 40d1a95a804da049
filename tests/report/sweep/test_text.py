"""Tests of iopermit.report.sweep.text: what a reader sees of a sweep."""

from tests.support.sweep.made_reports import LEAK, REPORT

from iopermit.report.sweep.facts import SweepReport
from iopermit.report.sweep.text import change_text, gap_text, summary, sweep_text, told


def lines(report: SweepReport = REPORT, width: int = 100) -> list[str]:
    """Return the lines of a report."""
    return [line.text for line in sweep_text(report, width)]


def test_every_job_has_a_line() -> None:
    """Each subject is followed by a line for each variant, with the outcome and why."""
    text = lines()
    start = text.index("one")
    assert text[start : start + 6] == [
        "one",
        "  plain  holds, 1,234 states",
        f"  all    LEAK: {LEAK['message']}",
        "two",
        "  plain  undetermined: after 5 states",
        "  all    failed: it broke",
    ]


def test_trees_say_which_patches_they_have() -> None:
    """A tree with patches is told from the tree as it is."""
    text = lines()
    start = text.index("6.12")
    assert text[start + 1] == f"  as it is, ioperm      LEAK: {LEAK['message']}"
    assert text[start + 2] == "  with the fix, ioperm  holds, 1,234 states"


def test_revisions_stand_in_their_order() -> None:
    """A row of revisions names the commits, oldest first, with the first line of the message."""
    text = lines()
    names = [line for line in text if line.endswith(("Change 0", "Change 2", "Change 3"))]
    assert names == ["000000000000 Change 0", "222222222222 Change 2", "333333333333 Change 3"]


def test_changes_and_gaps_are_sentences() -> None:
    """Introduced by, repaired by, changed by, and what was not judged, with commits."""
    introduced, repaired, changed = map(change_text, REPORT.changes)
    assert introduced == ('v1..v2, ioperm: introduced by 333333333333 "Change 3" (holds -> leak)')
    assert repaired == (
        "v1..v2, with the fix, ioperm: repaired by one of 3 commits from 111111111111 to "
        '333333333333 "Change 3": those in between have no verdict (leak -> holds)'
    )
    assert "changed by 111111111111" in changed
    assert gap_text(REPORT.gaps[0]) == (
        "v1..v2, ioperm: not judged: 1 revision between 000000000000 and 222222222222, which have "
        "the same verdict"
    )


def test_jobs_are_counted() -> None:
    """The last line says how many ended in which way, and how many were known."""
    assert (
        lines()[-1]
        == summary(REPORT)
        == (
            "10 jobs: holds 4, violated 3, undetermined 1, failed 1, not run 1; 1 known from before"
        )
    )
    assert summary(SweepReport("", ())) == "0 jobs: none"


def test_no_line_is_wider_than_the_terminal() -> None:
    """Long sentences are wrapped."""
    assert max(map(len, lines(width=60))) <= 60


def test_progress_is_one_line() -> None:
    """What is told of a job names it, its outcome and its time."""
    assert told(REPORT.jobs[0]) == "one, plain: holds, 1,234 states, 2.5 s"
    assert told(REPORT.jobs[6]).startswith("v1..v2, 000000000000, ioperm: holds")
