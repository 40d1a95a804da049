"""Checks a design: from the smallest scenario to the largest, until a violation or the end."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from iopermit.engine.interruption import Interruption
from iopermit.engine.ladder import design_scenarios
from iopermit.engine.limits import Limits
from iopermit.engine.verdict import Saving, Verdict
from iopermit.search.one_scenario import Search, Settings
from iopermit.translate.analyses.reductions import REDUCTIONS, Reductions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iopermit.engine.progress import ProgressCallback
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.system.site import Site

_MOST_BEYOND = 1 << 22
"""States visited beyond garbage if no limit is given: lost references can be counted for long."""


def check(  # noqa: PLR0913 - the interface of the verb
    design: type[Design],
    scenario: Scenario | None = None,
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    reductions: Reductions = Reductions(),  # noqa: B008 - immutable
    threads: int = 1,
    every: bool = False,
    progress: ProgressCallback | None = None,
    options: tuple[str, ...] = (),
    with_savings: bool = False,
) -> Verdict:
    """Return the verdict about ``design`` in one scenario, or in a ladder of them if None.

    Raises DesignError for a design that cannot be translated and ReplayError if the replay at
    full size disagrees with the search. ``with_savings`` also searches the scenario of the verdict
    without each reduction (:func:`savings`), each time within the limits.
    """
    settings = Settings(limits, reductions, threads, progress, every)
    scenarios = [scenario] if scenario is not None else design_scenarios(every=every)
    with Interruption():
        verdict = _checked(design, scenarios, settings)
        if with_savings:
            saved = tuple(savings(design, verdict.scenario, replace(settings, every=False)))
            verdict = replace(verdict, search=replace(verdict.search, savings=saved))
    return replace(
        verdict,
        options=options,
        also=tuple(replace(also, options=options) for also in verdict.also),
    )


def _checked(design: type[Design], scenarios: Iterable[Scenario], settings: Settings) -> Verdict:
    """Return the verdict about ``design`` after one scenario or several."""
    started, every = time.monotonic(), settings.every
    verdicts: list[Verdict] = []
    for each in scenarios:
        remaining = replace(settings, limits=settings.limits.after(started))
        last = check_once(design, each, remaining)
        verdicts.append(last)
        if every and _has_garbage(last):
            # A limit that ends this search ends none of the others.
            verdicts.append(_beyond_garbage(design, each, remaining))
        limited = last.verdict == "undetermined" and not last.longs_needed
        if limited or (last.verdict == "violated" and not every):
            break
    return _different(verdicts) if every else _with_smaller(verdicts)


def _beyond_garbage(design: type[Design], scenario: Scenario, settings: Settings) -> Verdict:
    """Return what else comes of garbage: schedules end at it, so that it shows only beyond."""
    limits = settings.limits
    if limits.max_states is None:
        limits = replace(limits, max_states=_MOST_BEYOND)
    return check_once(design, replace(scenario, garbage=False), replace(settings, limits=limits))


def _has_garbage(verdict: Verdict) -> bool:
    return any(
        v.violation is not None and v.violation.kind == "garbage" for v in (verdict, *verdict.also)
    )


def _with_smaller(verdicts: list[Verdict]) -> Verdict:
    """Return the last verdict; if a limit ended it, with the largest scenario that holds."""
    last = verdicts[-1]
    exhausted = [v.scenario for v in verdicts if v.verdict == "holds"]
    if last.verdict != "undetermined" or not exhausted:
        return last
    most = exhausted[-1]
    smaller = most.size
    return replace(last, reason=f"{last.reason}; exhausted without a violation: {smaller}")


def _different(verdicts: list[Verdict]) -> Verdict:
    """Combine the verdicts of several scenarios: the first violation, and all different ones."""
    found: dict[tuple[str, Site | None], Verdict] = {}
    for verdict in verdicts:
        for each in (verdict, *verdict.also):
            if each.violation is not None:
                found.setdefault((each.violation.kind, each.violation.site), replace(each, also=()))
    if not found:
        return verdicts[-1]
    first, *rest = (replace(each, reason="") for each in found.values())
    longs = max(verdict.scenario.longs for verdict in verdicts)
    cut = [
        f"{each.reason} ({each.scenario.size})"
        for each in verdicts
        if each.reason and (not each.longs_needed or longs < each.longs_needed)
    ]
    return replace(first, also=tuple(rest), reason=cut[0] if cut else "")


def check_once(design: type[Design], scenario: Scenario, settings: Settings) -> Verdict:
    """Return the verdict about ``design`` in one scenario."""
    search = Search(design, scenario, settings)
    return search.verdict()


def savings(design: type[Design], scenario: Scenario, settings: Settings) -> Iterator[Saving]:
    """Search a scenario to its end with the reductions that are on, and without each of them."""
    everything, _ = Search(design, scenario, settings).explore(stop=False)
    on = [f.name for f in fields(Reductions) if getattr(settings.reductions, f.name)]
    for name in on:
        off = replace(settings, reductions=replace(settings.reductions, **{name: False}))
        result, _ = Search(design, scenario, off).explore(stop=False)
        exhausted = result.exhausted and everything.exhausted
        yield Saving(REDUCTIONS[name], everything.states, result.states, exhausted)
