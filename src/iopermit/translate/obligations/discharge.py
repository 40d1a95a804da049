"""Discharges all that the reductions of one search rest on, one reduction after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from iopermit.translate.analyses.reductions import (
    COUNTERS,
    DEAD_FIELDS,
    HIDDEN_MAPS,
    LATE_ARGUMENTS,
    MERGING,
    SYMMETRY,
    Reduction,
    analyse,
)
from iopermit.translate.obligations.commuting import Commuting
from iopermit.translate.obligations.forgotten import (
    ForgottenArguments,
    ForgottenDead,
    ForgottenMaps,
)
from iopermit.translate.obligations.independence import Independence, unequal_calls
from iopermit.translate.obligations.induction import broken_premises
from iopermit.translate.obligations.renaming import Renamings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.system.scenario import Scenario
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.analyses.merging import Merging
    from iopermit.translate.analyses.reductions import Reductions
    from iopermit.translate.model.model import Model
    from iopermit.translate.obligations.forgotten import Forgotten


@dataclass(frozen=True)
class Discharged:
    """What the solver says of one reduction."""

    what: str
    """What the obligations are about: a reduction, or the premises of all."""
    flag: str
    """The option that switches the reduction off; empty for the premises."""
    asked: int
    """How many obligations the solver was asked."""
    apart: int
    """Pairs of a step and a rival that touch nothing in common."""
    failures: tuple[str, ...]


def discharge(
    model: Model, scenario: Scenario, on: Reductions, assumed: tuple[Assumption, ...]
) -> Iterator[Discharged]:
    """Yield what the solver says of the premises, and of every reduction that is on and applies.

    ``assumed`` is what the search assumed of heap objects, and no step broke.
    """
    yield Discharged("premises", "", 0, 0, tuple(broken_premises(model, scenario)))
    for reduction, analysis in analyse(model, on, assumed).items():
        asked, apart, failures = _OBLIGATIONS[reduction](model, analysis)
        yield Discharged(reduction.title, reduction.flag, asked, apart, failures)


_Found: TypeAlias = tuple[int, int, tuple[str, ...]]
"""How many were asked and how many are apart, and those that fail."""


def _renaming(*, symmetry: bool) -> Callable[[Model, object], _Found]:
    def discharged(model: Model, _: object) -> _Found:
        renamings = Renamings(model, symmetry=symmetry, counters=not symmetry)
        failures = tuple(renamings.failures())
        return renamings.asked, 0, failures

    return discharged


def _commuting(_: Model, merging: Merging) -> _Found:
    commuting = Commuting(merging)
    failures = tuple(map(str, commuting.failures()))
    return commuting.asked, commuting.apart, failures


def _independent(model: Model, forgotten: Forgotten) -> _Found:
    independence = Independence(model, forgotten)
    failures = tuple(independence.failures())
    return independence.asked, 0, failures


def _arguments(model: Model, late: LateArguments) -> _Found:
    asked, apart, failures = _independent(model, ForgottenArguments(late))
    return asked, apart, (*unequal_calls(model, late), *failures)


_OBLIGATIONS: Final[dict[Reduction, Callable[[Model, Any], _Found]]] = {
    SYMMETRY: _renaming(symmetry=True),
    COUNTERS: _renaming(symmetry=False),
    MERGING: _commuting,
    DEAD_FIELDS: lambda model, dead: _independent(model, ForgottenDead(dead)),
    LATE_ARGUMENTS: _arguments,
    HIDDEN_MAPS: lambda model, hidden: _independent(model, ForgottenMaps(hidden)),
}
