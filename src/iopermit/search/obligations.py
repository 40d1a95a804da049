"""Discharges what the merging of steps rests on, for the scenario of a verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import UndischargedObligation
from iopermit.engine.errors import MissingExtraError
from iopermit.engine.verdict import Obligations
from iopermit.search.compilation import translated
from iopermit.translate.analyses.assumptions import assumptions
from iopermit.translate.analyses.merging import Merging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.verdict import Verdict
    from iopermit.search.problem import Problem


def discharged(problem: Problem, verdict: Verdict) -> Verdict:
    """Return a verdict of *holds* with what a solver says of its obligations.

    One that is not discharged leaves the verdict open. A violation is confirmed at full size and
    needs none.

    Raises:
        MissingExtraError: z3 is not installed.
    """
    if verdict.verdict != "holds":
        return verdict
    try:
        from iopermit.translate.obligations.commuting import Commuting  # imports z3
        from iopermit.translate.obligations.induction import broken_premises
    except ModuleNotFoundError as error:
        raise MissingExtraError("prove", "z3") from error

    started = time.monotonic()
    model = translated(problem).model
    kept = frozenset(a for a in assumptions(model) if str(a) in verdict.search.assumed)
    commuting = Commuting(Merging(model, kept))

    def failures() -> Iterator[str]:
        yield from broken_premises(model, problem.scenario)
        if problem.settings.reductions.merging:
            yield from map(str, commuting.failures())

    found = tuple(dict.fromkeys(failures()))
    seconds = time.monotonic() - started
    obligations = Obligations(commuting.asked, commuting.apart, found, seconds)
    verdict = replace(verdict, search=replace(verdict.search, obligations=obligations))
    if not found:
        return verdict
    ending = UndischargedObligation(found[0], len(found) - 1)
    return replace(verdict, verdict="undetermined", reason=ending.reason, ending=ending)
