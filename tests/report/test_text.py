"""Tests of iopermit.report.text: what the report says, and how."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.report.schedules import review_story, texts
from tests.support.report.verdicts import CRASH, GARBAGE, HOLDS, SITE, UNDETERMINED

from iopermit.engine.verdict import Uncovered, Verdict
from iopermit.report.text import WIDTH, report

STORY = """\
BUG: port leak in linux-v2-06: task B may use ports 192-65535, which only task A was granted

 step  CPU 0   what happens                                I/O map base  clear bits in the TSS
    1  A       ioperm(0, 65536, 1): grants A every port    valid         0-65535
    2  A to B  switch_to(): base moves past the TSS limit  past limit    0-65535 (A's, stale)
    3  B       ioperm(128, 1, 1): base is valid again      valid         0-65535 (A's, stale)
    4  B       ioperm(): copies 24 of 8192 bytes, returns  valid         128, 192-65535 (A's, stale)
       the CPU now allows B  128, 192-65535;  B was granted  128
"""

EVERY = [review_story(), HOLDS, UNDETERMINED, CRASH, GARBAGE]


def test_review_story_is_told_in_four_lines() -> None:
    """The leak that the review of V2 06/16 found is told as the review told it."""
    assert texts(report(review_story())).startswith(STORY)


@pytest.mark.parametrize("verdict", EVERY, ids=lambda v: f"{v.subject}-{v.verdict}")
@pytest.mark.parametrize("steps", [False, True])
def test_lines_fit_and_are_ascii(verdict: Verdict, steps: bool) -> None:
    """No line is wider than 100 columns, has a character beyond ASCII, or ends in blanks."""
    for line in report(verdict, steps=steps):
        assert len(line.text) <= WIDTH
        assert line.text.isascii()
        assert line.text == line.text.rstrip()


def test_confirmation_and_figures_are_told() -> None:
    """The report says that the schedule was confirmed at full size, and what was searched."""
    text = texts(report(review_story()))
    assert " confirmed: at full size (65,536 ports" in text
    assert " search: 3,512 states, depth 60, 0.1 s; stopped at the shortest violation" in text
    assert " scenario: 1 CPU, 2 tasks, 2 longs; plain events" in text


@pytest.mark.parametrize("headline_only", [False, True])
def test_open_ends_of_a_search_for_all_are_told(headline_only: bool) -> None:
    """A report of several violations says if a limit may have hidden more, also with -q."""
    verdict = replace(review_story(), also=(CRASH,), reason="the limit of 9 states was reached")
    text = texts(report(verdict, headline_only=headline_only))
    line = "UNDETERMINED: further violations of linux-v2-06: the limit of 9 states was reached"
    assert line in text.splitlines()
    assert "stopped at the shortest violation" not in text


def test_unconfirmed_schedule_is_not_called_confirmed() -> None:
    """A violation that was not replayed at full size says so."""
    verdict = review_story()
    text = texts(
        report(replace(verdict, search=replace(verdict.search, confirmed_full_size=False)))
    )
    assert " confirmed: no: the schedule was not replayed" in text


@pytest.mark.parametrize(
    ("needed", "line"),
    [
        (True, " privilege: only a task that has CAP_SYS_RAWIO at some time can gain ports"),
        (False, " privilege: a task that never has CAP_SYS_RAWIO can gain ports, too"),
    ],
)
def test_privilege_is_told(needed: bool, line: str) -> None:
    """The report says whether the task that gains ports needs the privilege."""
    verdict = review_story()
    assert verdict.violation is not None
    changed = replace(verdict, violation=replace(verdict.violation, needs_privilege=needed))
    assert line in texts(report(changed)).splitlines()


def test_a_gain_without_privilege_tells_what_was_granted_before() -> None:
    """What the CPU allows at that moment is not what is wrong, so it is not told."""
    verdict = review_story()
    assert verdict.violation is not None
    gain = replace(verdict.violation, without_privilege=True, granted=((8, 9),))
    text = texts(report(replace(verdict, violation=gain)))
    assert "had no CAP_SYS_RAWIO when it made the call" in text
    assert "granted  8-9" in text
    assert "the CPU now allows" not in text


@pytest.mark.parametrize(
    ("refusals", "told"), [(1, "again after every refusal"), (3, "after every 3 refusals")]
)
def test_a_livelock_tells_when_it_repeats(refusals: int, told: str) -> None:
    """The report says after how many refusals the same state comes again."""
    verdict = review_story()
    assert verdict.violation is not None
    lost = replace(verdict.violation, kind="loss", livelock=True, repeats_every=refusals)
    assert told in " ".join(texts(report(replace(verdict, violation=lost))).split())
    ordinary = replace(verdict.violation, kind="loss")
    assert "comes again" not in texts(report(replace(verdict, violation=ordinary)))


def test_unexamined_privilege_is_not_mentioned() -> None:
    """Without an examination nothing is said about the privilege."""
    verdict = review_story()
    assert verdict.violation is not None
    changed = replace(verdict, violation=replace(verdict.violation, needs_privilege=None))
    assert "privilege" not in texts(report(changed))


def test_replay_names_the_saved_file() -> None:
    """The line about replay is the command to type, quoted where the shell needs it."""
    lines = texts(report(review_story(), saved=Path("my leak.json"))).splitlines()
    assert " replay: iopermit replay 'my leak.json'" in lines


def test_unsaved_schedule_tells_how_to_save_it() -> None:
    """Without a saved file the line about replay tells how to get one."""
    assert "check again with --save linux-v2-06.json" in texts(report(review_story()))


def test_steps_show_every_step_with_its_source() -> None:
    """--steps has a line for every atomic step, with file and line of the design."""
    verdict = review_story()
    lines = texts(report(verdict, steps=True)).splitlines()
    numbers = [int(line[:5]) for line in lines if line[:5].strip().isdigit()]
    assert numbers == list(range(1, len(verdict.trace or ()) + 1))
    assert any(
        "designs/linux/v2_06.py:102  cpu.tss.io_map_base = IoMapBase.INVALID" in x for x in lines
    )
    assert any("=> I/O map base past limit, clear bits 0-65535" in line for line in lines)


def test_holds_is_one_headline_and_what_was_not_covered() -> None:
    """A design that holds gets its headline, the figures, and what was not covered."""
    assert texts(report(HOLDS)).splitlines() == [
        "HOLDS: linux-6.16 under all events (2 CPUs, 3 tasks, 2 longs)",
        " search: 1,234,567 states, depth 88, 12.3 s; exhausted: every reachable state was visited",
        " events never possible: vm-exit",
        " never executed: 1 statement: /designs/own.py:7",
    ]


def test_a_design_that_grants_nothing_holds_with_a_warning() -> None:
    """What could not be is named behind the headline, also where only headlines are asked for."""
    useless = replace(HOLDS, uncovered=replace(HOLDS.uncovered, vacuous=("loss", "other")))
    for lines in (report(useless), report(useless, headline_only=True)):
        text = " ".join(texts(lines).split())
        assert "WARNING: no grant was ever possible" in text
        assert "nothing is said about them: loss, other" in text
    undetermined = replace(useless, verdict="undetermined", reason="a limit")
    assert "WARNING" not in texts(report(undetermined))


def test_undetermined_gives_the_reason_and_no_comfort() -> None:
    """An undetermined verdict names the limit and says that it tells nothing about the rest."""
    text = " ".join(texts(report(UNDETERMINED)).split())
    assert text.startswith("UNDETERMINED: linux-6.16 under all events")
    assert "the time limit of 10 s was reached" in text
    assert "not exhausted: this says nothing about the states that were not visited" in text


def test_crash_names_the_statement() -> None:
    """A crash is told with the statement that crashes."""
    text = texts(report(CRASH))
    assert text.startswith("BUG: kernel crash in linux-060aa16f: null pointer dereference")
    assert "the kernel crashes on CPU 0: null pointer dereference: NULL has no 'max'" in text
    assert " design source: /designs/own.py:7  cpu.tss.io_map_base = IoMapBase.VALID" in text


def test_garbage_is_named_in_plain_words() -> None:
    """Garbage is explained in the headline."""
    headline = report(GARBAGE)[0].text
    assert headline.startswith(
        "BUG: garbage (memory that nobody can free any more) in linux-060aa16f"
    )


def test_many_uncovered_statements_are_counted() -> None:
    """Of many statements that were never executed a few are named and all are counted."""
    sites = tuple(replace(SITE, line=line) for line in range(10, 60))
    text = texts(report(replace(HOLDS, uncovered=Uncovered(sites))))
    assert " never executed: 50 statements: /designs/own.py:10, 11, 12," in text
    assert text.split()[-3:] == ["and", "38", "more"]
    assert len(text.splitlines()) <= 5


def test_all_violations_are_shown_each_with_its_schedule() -> None:
    """Further violations follow the first, each with headline and table; figures come once."""
    text = texts(report(replace(review_story(), also=(review_story(), CRASH))))
    assert text.count("BUG: ") == 3
    assert text.count(" step  CPU 0") == 2
    assert text.count(" search: ") == 1


def test_headline_only() -> None:
    """--quiet leaves nothing but the headlines."""
    lines = report(replace(review_story(), also=(CRASH,)), headline_only=True)
    assert all(line.text.startswith("BUG: ") for line in lines)
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("verdict", "colour"), [(HOLDS, "green"), (UNDETERMINED, "yellow"), (CRASH, "red")]
)
def test_headline_has_the_colour_of_its_verdict(verdict: Verdict, colour: str) -> None:
    """Green holds, yellow is undetermined, red is a bug."""
    assert colour in report(verdict)[0].style
