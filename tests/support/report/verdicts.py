"""Verdicts made by hand, for tests of what the reports say about them."""

from __future__ import annotations

from dataclasses import replace

from iopermit.engine.trace import Violation
from iopermit.engine.verdict import SearchStatistics, Uncovered, Verdict
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.system.site import Site

SITE = Site("/designs/own.py", 7, 4, "cpu.tss.io_map_base = IoMapBase.VALID", "switch_to")

HOLDS = Verdict(
    "linux-6.16",
    Scenario(),
    "holds",
    "",
    None,
    None,
    SearchStatistics(1234567, 9999999, 88, 12.34, exhausted=True, confirmed_full_size=False),
    Uncovered((SITE,), ("vm-exit",), ()),
)

UNDETERMINED = replace(
    HOLDS,
    verdict="undetermined",
    reason="the time limit of 10 s was reached",
    search=replace(HOLDS.search, exhausted=False),
)

CRASH = replace(
    HOLDS,
    subject="linux-060aa16f",
    scenario=Scenario(1, 1, 1, ALL_EVENTS),
    verdict="violated",
    violation=Violation(
        "crash", "A", 0, (), (), (), "", "null pointer dereference: NULL has no 'max'", SITE
    ),
    trace=(),
    search=replace(HOLDS.search, exhausted=False, confirmed_full_size=True),
)

GARBAGE = replace(
    CRASH,
    violation=Violation("garbage", "", 0, (), (), (), "", "nothing refers to IoBitmap 0", None),
)
