"""Discharges what the reductions of a search rest on, for the scenario of a verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import UndischargedObligation
from iopermit.engine.errors import MissingExtraError
from iopermit.engine.verdict import Obligations
from iopermit.search.compilation import translated
from iopermit.translate.analyses.assumptions import assumptions

if TYPE_CHECKING:
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
        from iopermit.translate.obligations.discharge import discharge  # imports z3
    except ModuleNotFoundError as error:
        raise MissingExtraError("prove", "z3") from error

    started = time.monotonic()
    model = translated(problem).model
    kept = tuple(a for a in assumptions(model) if str(a) in verdict.search.assumed)
    parts = list(discharge(model, problem.scenario, problem.settings.reductions, kept))
    found = [(part, failure) for part in parts for failure in dict.fromkeys(part.failures)]
    obligations = Obligations(
        tuple(part.what for part in parts),
        sum(part.asked for part in parts),
        sum(part.apart for part in parts),
        tuple(f"{part.what}: {failure}" for part, failure in found),
        time.monotonic() - started,
    )
    verdict = replace(verdict, search=replace(verdict.search, obligations=obligations))
    if not found:
        return verdict
    ending = UndischargedObligation(obligations.failures[0], len(found) - 1, found[0][0].flag)
    return replace(verdict, verdict="undetermined", reason=ending.reason, ending=ending)
