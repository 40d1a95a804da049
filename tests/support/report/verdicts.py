"""Verdicts made by hand, for tests of what the reports say about them."""

from __future__ import annotations

from dataclasses import replace

from iopermit.engine.trace import Violation
from iopermit.engine.verdict import (
    FaultOrigin,
    KernelSubject,
    SearchStatistics,
    Uncovered,
    Verdict,
    WithoutPatches,
)
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

LEAK_OF_A_TREE = replace(
    CRASH,
    subject="linux",
    violation=Violation(
        "leak", "B", 0, ((0, 63),), ((0, 63),), (), "A", "task B may use ports 0-63", SITE
    ),
    kernel=KernelSubject("/linux", ("/a.patch",), "6.12", "gcc", "key"),
)


def patched(verdict: Verdict, origin: FaultOrigin, *, only_new: bool = False) -> Verdict:
    """Return a verdict about a tree with patches, without which it leaks, or holds."""
    plain = {FaultOrigin.INTRODUCED: "holds", FaultOrigin.NO_FAULT: "holds"}
    leaks = origin not in plain
    without = WithoutPatches(
        origin,
        "violated" if leaks else "holds",
        "leak" if leaks else None,
        "task B may use ports 0-63" if leaks else "",
        every=only_new or not leaks,
        only_new=only_new,
    )
    kernel = replace(LEAK_OF_A_TREE.kernel or KernelSubject("", (), "", "", ""), without=without)
    return replace(verdict, kernel=kernel)
