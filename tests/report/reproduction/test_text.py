"""The report about a booted kernel is the table of `check`, with a column of what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.reproduce.counterexamples import crash
from tests.support.reproduce.reproductions import (
    CONTROLS,
    RUN,
    booted,
    repaired,
    reproduction,
    unforced,
)

from iopermit.report.reproduction import told
from iopermit.report.reproduction.facts import BootedRun, FreeRun, PreemptionPoint, Reproduction
from iopermit.report.reproduction.text import reproduction_text, seen_on_kernel
from iopermit.report.reproduction.told import CAVEAT, headline
from iopermit.report.text import report
from iopermit.reproduce.guest.commands import HARMLESS_PORTS


def printed(found: Reproduction) -> str:
    """Return the report with single spaces, wherever lines were broken."""
    return " ".join(" ".join(line.text for line in reproduction_text(found)).split())


def test_a_reproduction_is_told_whole() -> None:
    """Headline, steps, what was seen, runs, controls, the kernel, and what TCG does not show."""
    text = printed(reproduction())
    for part in (
        "REPRODUCED on a booted kernel: port leak of linux-6.16: task B may use ports 0-65535",
        "seen on the booted kernel",
        "v6_16.py:43",
        "(held 281 times): base 0x78, ports open",
        "step 2: held",
        "runs: 2 of 2 showed the fault; 6.0 s each",
        "IN: by task B (uid 1000 CapEff 0000000000000000): inb(0x80) = 0xff, inb(0x71) = 0x13",
        "inl(0xcf8) = 0x80000b0c",
        "control, preempted one instruction before: clean: base 0x4088, past limit; 0 of 3 INs",
        "control, not preempted: clean: 0 of 3 INs passed",
        "command line: preempt=full",
        "no register or memory was written",
        CAVEAT,
    ):
        assert part in text


def test_no_line_is_wider_than_the_others() -> None:
    """The table keeps to the width of all reports."""
    assert all(len(line.text) <= 100 for line in reproduction_text(reproduction()))


def test_the_ports_told_are_those_that_the_guest_reads() -> None:
    """What the table calls open is what the guest tries."""
    assert told.PORTS == HARMLESS_PORTS


def test_what_could_not_be_forced_is_told() -> None:
    """Why it is undetermined stands in the headline; without a run there are no controls."""
    found = replace(
        reproduction(),
        outcome="undetermined",
        reason="step 2 cannot be forced: never preempted there",
        runs=(unforced(PreemptionPoint.WINDOW),),
        controls=(),
    )
    text = printed(found)
    assert headline(found) == (
        "UNDETERMINED: port leak of linux-6.16: step 2 cannot be forced: never preempted there"
    )
    assert "0 of 1 showed the fault; 6.0 s each; in 1 the schedule was not forced" in text
    assert "controls: none: no run showed the fault" in text
    assert "IN:" not in text


def test_nothing_was_booted() -> None:
    """Where no kernel was booted the report says so and has the steps alone."""
    found = replace(reproduction(), kernel=None, runs=(), controls=(), forced_by=())
    text = printed(replace(found, outcome="undetermined", reason="why"))
    assert "runs: none: no kernel was booted" in text
    assert "command line" not in text


def test_a_fault_that_does_not_show_is_told() -> None:
    """Every step was forced and nothing was seen: INs ended in SIGSEGV, ports were closed."""
    run = booted(PreemptionPoint.WINDOW, shown=False)
    text = printed(replace(reproduction(), outcome="not reproduced", runs=(run,)))
    assert text.startswith("NOT REPRODUCED: port leak of linux-6.16: every step was forced")
    assert "inb(0x80) ended in SIGSEGV" in text
    assert "base 0x4088, ports closed" in text


@pytest.mark.parametrize(
    ("control", "wanted"),
    [
        (booted(PreemptionPoint.AFTER, shown=True), "SHOWED THE FAULT: base 0x78, valid; 3 of 3"),
        (unforced(PreemptionPoint.AFTER), "not forced: never preempted there"),
    ],
)
def test_a_control_that_is_not_clean_stands_out(control: BootedRun, wanted: str) -> None:
    """A control that shows the fault, or was not forced, is told as such."""
    found = replace(reproduction(), controls=(control, *CONTROLS[1:]))
    assert wanted in printed(found)


def test_without_a_harmless_port_that_is_told() -> None:
    """The report says that the TSS alone was judged."""
    found = replace(reproduction(), runs=(replace(RUN, reads=(), guest_shows=None),))
    assert "the TSS alone is judged" in printed(found)


@pytest.mark.parametrize(
    ("shown", "wanted"), [(False, "clean: base 0x4088"), (True, "SHOWED THE FAULT: base 0x78")]
)
def test_the_kernel_with_the_repair_is_a_control(wanted: str, *, shown: bool) -> None:
    """What the schedule did on the repaired kernel is told, with what that was built of."""
    text = printed(replace(reproduction(), controls=(), repaired=repaired(shown=shown)))
    assert f"control, with the repair: {wanted}" in text
    assert "linux + fix.patch" in text
    assert "controls: none" not in text


def test_the_report_of_check_has_both() -> None:
    """One table, with what was seen; the facts of the search, and those of the boots."""
    found = reproduction()
    lines = [line.text for line in report(found.verdict, seen=seen_on_kernel(found))]
    text = " ".join(" ".join(lines).split())
    assert lines[:2] == [
        "BUG: port leak in linux-6.16: task B may use ports 0-65535, which only task A was granted",
        "REPRODUCED on a booted kernel",
    ]
    assert text.count("what happens") == 1
    for part in ("(held 281 times)", "the CPU now allows B", "2 of 2 showed the fault", "search:"):
        assert part in text
    quiet = report(found.verdict, headline_only=True, seen=seen_on_kernel(found))
    assert [line.text for line in quiet] == lines[:2]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (
            replace(reproduction(), outcome="not reproduced"),
            "NOT REPRODUCED: every step was forced on a booted kernel",
        ),
        (
            replace(reproduction(), outcome="undetermined", reason="why", runs=(), kernel=None),
            "UNDETERMINED on a booted kernel: why",
        ),
    ],
)
def test_the_report_of_check_tells_what_was_not_seen(found: Reproduction, wanted: str) -> None:
    """The outcome stands behind the headline; the usual table is shown if nothing was booted."""
    lines = [line.text for line in report(found.verdict, seen=seen_on_kernel(found))]
    assert lines[1].startswith(wanted)
    assert any("seen on the booted kernel" in line for line in lines) == bool(found.runs)


def test_a_crash_is_told_in_the_words_of_the_console() -> None:
    """What the kernel told stands where INs would; a control tells that there was none."""
    told = "BUG: kernel NULL pointer dereference; RIP: 0010:ksys_ioperm+0x29/0x1e0"
    run = BootedRun(PreemptionPoint.WINDOW, 4.0, crash=told)
    assert run.shown
    clean = replace(repaired(shown=False), run=replace(run, crash=""))
    found = replace(reproduction(), verdict=crash(), runs=(run,), controls=(), repaired=clean)
    text = printed(found)
    assert f"console: {told}" in text
    assert "control, with the repair: clean: the kernel told of no crash" in text
    assert "IN:" not in text
    stained = replace(found, repaired=replace(clean, run=run))
    assert f"control, with the repair: SHOWED THE FAULT: {told}" in printed(stained)
    missing = replace(found, runs=(replace(run, crash=""),), repaired=None)
    assert "console: the kernel told of no crash" in printed(missing)


@pytest.mark.parametrize(
    ("hits", "start", "figures"),
    [
        (3, "SEEN on a booted kernel, where nothing was forced: port leak", "3 hits in 2,000"),
        (0, "NOT SEEN on a booted kernel, where nothing was forced", "0 hits in 2,000 attempts, 0"),
    ],
)
def test_what_was_seen_of_tasks_left_alone(hits: int, start: str, figures: str) -> None:
    """Hits in a million attempts are told; there are neither runs nor controls nor a debugger."""
    free = FreeRun(2000, hits, 40.0)
    found = replace(reproduction(), free=free, runs=(), controls=(), forced_by=())
    text = printed(found)
    assert text.startswith(start)
    assert f"left alone: {figures}" in text
    assert "nothing: no debugger was attached" in text
    assert "runs:" not in text
    assert "controls" not in text
    assert CAVEAT not in text
    assert seen_on_kernel(found).outcome.text == start.partition(":")[0]
