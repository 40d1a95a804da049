"""Combines the verdicts about several scenarios of one design."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.verdict import Verdict
    from iopermit.system.site import Site


def with_smaller(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the last verdict; if a limit ended it, with the largest scenario that holds."""
    last = verdicts[-1]
    exhausted = [v.scenario for v in verdicts if v.verdict == "holds"]
    if last.verdict != "undetermined" or not exhausted:
        return last
    smaller = exhausted[-1].size
    return replace(last, reason=f"{last.reason}; exhausted without a violation: {smaller}")


def different(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first violation with all different ones, and what cut a search short."""
    found: dict[tuple[str, bool, Site | None], Verdict] = {}
    for verdict in verdicts:
        for each in (verdict, *verdict.also):
            if each.violation is not None:
                shown = each.violation
                key = shown.kind, shown.livelock, shown.site
                found.setdefault(key, replace(each, also=()))
    if not found:
        return verdicts[-1]
    first, *rest = (replace(each, reason="", ending=None) for each in found.values())
    longs = max(verdict.scenario.longs for verdict in verdicts)
    cut = [
        each
        for each in verdicts
        if each.ending is not None and (not each.longs_needed or longs < each.longs_needed)
    ]
    if cut:
        reason = f"{cut[0].reason} ({cut[0].scenario.size})"
        first = replace(first, reason=reason, ending=cut[0].ending)
    return replace(first, also=tuple(rest))
