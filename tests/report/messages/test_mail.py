"""Tests of iopermit.report.messages.mail: what is forwarded fits, and says how to see it."""

from dataclasses import replace
from typing import Final

import pytest
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
from iopermit.report.findings.identity import finding_id
from iopermit.report.messages.mail import MOST_LINES, WIDTH, mail_text, markdown_text

COMMAND: Final = "iopermit check linux-v2-06 --format mail"
STORY: Final = review_story()
MANY: Final = replace(STORY, also=(CRASH, GARBAGE) * 40, reason="a limit was reached")
LONG: Final = replace(STORY, trace=(STORY.trace or ()) * 20)
EVERY: Final = [
    STORY,
    HOLDS,
    UNDETERMINED,
    CRASH,
    MANY,
    LONG,
    patched(LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE),
]


@pytest.mark.parametrize("verdict", EVERY, ids=lambda v: f"{v.subject}-{v.verdict}")
def test_a_mail_fits(verdict: Verdict) -> None:
    """No line has more than 72 columns, no mail more than 60 lines, and all is plain text."""
    lines = mail_text(verdict, f"{COMMAND} --kernel /{'long/' * 30}").splitlines()
    assert max(map(len, lines)) <= WIDTH == 72
    assert len(lines) <= MOST_LINES == 60
    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith("Subject: [iopermit] ")
    assert lines[-2:-1] == ["-- "]


def test_what_is_too_long_is_counted() -> None:
    """A schedule, or further violations, that have no room are not left out silently."""
    assert "more: iopermit replay shows the whole]" in mail_text(LONG, COMMAND)
    assert "and further violations: see --all" in mail_text(MANY, COMMAND)


@pytest.mark.parametrize("text", [mail_text, markdown_text])
def test_it_says_what_was_found_and_how(text: object) -> None:
    """Finding, base, command, scenario, source and schedule are there, in either form."""
    words = " ".join(text(STORY, COMMAND).split())  # type: ignore[operator]  # one of the two
    for part in (
        finding_id(STORY),
        COMMAND,
        "1 CPU, 2 tasks, 2 longs; plain events",
        "designs/linux/v2_06.py:90",
        "copies 24 of 8192",
        "task B may use ports 192-65535",
    ):
        assert part in words


def test_a_tree_is_named_with_its_patches() -> None:
    """Of a tree the mail has the version, the patches and the digest of the code."""
    assert LEAK_OF_A_TREE.kernel is not None
    text = mail_text(LEAK_OF_A_TREE, COMMAND)
    assert "base:      Linux 6.12, /linux, code key\n" in text
    assert "patches:   /a.patch\n" in text
    back = replace(LEAK_OF_A_TREE, kernel=replace(LEAK_OF_A_TREE.kernel, reverse=True))
    assert "reverted:  /a.patch\n" in mail_text(back, COMMAND)


def test_nothing_in_it_is_markdown_by_mistake() -> None:
    """Names with characters of Markdown or HTML are shown as they are."""
    text = markdown_text(replace(HOLDS, subject="a_b*c|d<e>`f"), "iopermit check 'a|b`c'")
    assert text.startswith("### HOLDS: a\\_b\\*c\\|d\\<e\\>\\`f under")
    assert "| command | ``iopermit check 'a\\|b`c'`` |" in text
