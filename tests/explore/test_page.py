"""Tests of iopermit.explore.page: what a person sees and can choose."""

from __future__ import annotations

from tests.support.explore import LEAK, choice, session, walk

from iopermit.explore.nearest import nearest
from iopermit.explore.page import explore_html, explore_page


def test_buttons_are_numbered_as_the_choices() -> None:
    """The number of a button is the place of its choice among those of all CPUs."""
    at = session(bounds=(2, 3, 2))
    page = explore_page(at, None)
    buttons = [button for group in page.groups for button in group.buttons]
    assert [button.value for button in buttons] == [str(n) for n in range(len(buttons))]
    assert [b.text for b in buttons] == [c.text for g in at.choices() for c in g.choices]
    assert (page.schedule, page.back, page.length) == (None, (), 0)


def test_one_can_go_back_to_every_step() -> None:
    """There is a way back to one atomic step before, to the end of each step, and to the start."""
    at = session()
    walk(at, *LEAK[:2])
    page = explore_page(at, None)
    assert page.schedule is not None
    assert [(button.value, button.text) for button in page.back] == [
        ("32", "one atomic step"),
        ("28", "after step 1"),
        ("0", "to the start"),
    ]


def test_a_violation_has_its_reason_and_no_choices() -> None:
    """At a violation the page says what is wrong, why, and how to save the schedule."""
    at = session()
    walk(at, *LEAK)
    page = explore_page(at, None)
    assert page.violation.startswith("port leak: task B may use ports 64-65535")
    assert page.groups == ()
    assert page.schedule is not None
    assert page.schedule.why is not None
    assert 'href="schedule.json"' in explore_html(at, None, "", whole=True)


def test_in_the_middle_of_a_call_the_task_is_in_the_kernel() -> None:
    """After single steps the picture shows the mode that the task is in, also at the last one."""
    at = session()
    at.take(choice(at, LEAK[0]), whole=False)
    at.take(at.choices()[0].choices[0], whole=False)
    page = explore_page(at, None)
    assert page.schedule is not None
    assert [state.mode for state in page.schedule.frames[-1].cpus] == ["kernel, ioperm()"]


def test_a_way_is_told_only_where_it_was_searched() -> None:
    """What a search found is shown until something happens; then it is no longer from here."""
    at = session()
    way = nearest(at)
    page = explore_page(at, way)
    assert page.can_follow
    assert page.way[0].startswith("The nearest violation is 60 atomic steps away: port leak")
    walk(at, LEAK[0])
    page = explore_page(at, way)
    assert (page.way, page.can_follow) == ((), False)


def test_without_a_way_it_is_said() -> None:
    """Where no violation can be reached the page says so, with the states that were visited."""
    at = session("linux-2.6.8", (1, 1, 1))
    (line,) = explore_page(at, nearest(at)).way
    assert line.startswith("No violation can be reached from here (")


def test_a_message_is_shown_as_text() -> None:
    """What went wrong is on the page, and is never markup."""
    text = explore_html(session(), None, "<b>no</b>", whole=False)
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert "form-action &#39;self&#39;" in text
