"""Checks beyond one memory for tests, and what of a verdict must not depend on how it was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iopermit.designs import find
from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.scale.check import check_beyond
from iopermit.scale.plan import Plan
from iopermit.search.problem import Problem, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.engine.verdict import Verdict
    from iopermit.system.scenario import Scenario


def problem(
    design: str,
    scenario: Scenario,
    limits: Limits | None = None,
    **settings: Any,  # noqa: ANN401 - members of Settings; immutable
) -> Problem:
    """Return a problem that is searched up to the first violation."""
    return Problem(find(design), scenario, Settings(**settings), Control(limits or Limits()))


def beyond(of: Problem, directory: Path, **plan: Any) -> Verdict:  # noqa: ANN401 - members of Plan
    """Check with checkpoints in a directory."""
    return check_beyond(of, Plan(directory, **plan))


def outcome(verdict: Verdict) -> tuple[object, ...]:
    """Return what is the same, whoever owns the states."""
    violation, search = verdict.violation, verdict.search
    return (
        verdict.verdict,
        violation.kind if violation is not None else None,
        search.states,
        search.transitions,
        search.depth,
        search.exhausted,
        search.assumed,
        verdict.uncovered,
        verdict.reason,
    )
