"""Makes reports of sweeps for tests of their forms."""

from __future__ import annotations

from iopermit.report.sweep.facts import (
    SweepReport,
    SweptCommit,
    SweptJob,
    UnsearchedGap,
    Variant,
    VerdictChange,
)

PLAIN = Variant("", "", "plain", (1, 2, 1))
ALL = Variant("", "", "all", (1, 2, 1))
TREE = Variant("", "full", "ioperm", (1, 2, 1))
FIXED = Variant("the fix", "full", "ioperm", (1, 2, 1))
COMMITS = [SweptCommit(f"{number:x}" * 40, f"Change {number}", number) for number in range(4)]
COMMAND = "iopermit check x --events plain"


def job(name: str, variant: Variant, outcome: str = "holds", **more: object) -> SweptJob:
    """Return a job about a design, or what `more` says."""
    known = {"kind": "design", "subject": name, "commit": None, "variant": variant}
    ended = {"states": 1234, "seconds": 2.5, "finished": "2026-11-27T12:00:00+00:00"}
    values = known | {"key": "k", "command": COMMAND, "outcome": outcome} | ended | more
    return SweptJob(**values)  # type: ignore[arg-type]  # of any member


LEAK = {"violation": "leak", "message": "task B may use port <1>, which only task A was granted"}
REPORT = SweepReport(
    "A title",
    (
        job("one", PLAIN),
        job("one", ALL, "violated", **LEAK),
        job("two", PLAIN, "undetermined", message="after 5 states"),
        job("two", ALL, "failed", message="it broke", kept=True),
        job("6.12", TREE, "violated", kind="tree", **LEAK),
        job("6.12", FIXED, kind="tree"),
        *(
            job("v1..v2", TREE, kind="revision", commit=commit)
            for commit in (COMMITS[0], COMMITS[2])
        ),
        job("v1..v2", TREE, "violated", kind="revision", commit=COMMITS[3], **LEAK),
        job("v1..v2", FIXED, "not run", kind="revision", commit=COMMITS[0], states=0, finished=""),
    ),
    (
        VerdictChange("v1..v2", TREE, "holds", "leak", (COMMITS[3],)),
        VerdictChange("v1..v2", FIXED, "leak", "holds", tuple(COMMITS[1:])),
        VerdictChange("v1..v2", FIXED, "leak", "crash", (COMMITS[1],)),
    ),
    (UnsearchedGap("v1..v2", TREE, COMMITS[0], COMMITS[2], 1),),
)
"""Designs, trees and revisions that ended in every way."""
