"""The reductions of the search, one object each, and which of them are on.

The command line, ``--savings``, the tests and the argument in docs/how-it-checks.md enumerate
these; ``native/emission.py`` has the code that each makes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.model.model import Model


Analysis: TypeAlias = Any
"""What a reduction finds out about a model: a class of this folder, or just that it applies."""


@dataclass(frozen=True)
class Reductions:
    """Which sound reductions of the search are on (docs/how-it-checks.md)."""

    symmetry: bool = True
    """States that differ only in the names of tasks, CPUs and heap objects are one."""
    merging: bool = True
    """Steps that nothing else can observe or disturb run together with the one before."""
    counters: bool = True
    """States that differ only in the values of sequence numbers are one."""
    dead: bool = True
    """States that differ only in fields of tasks that nothing can read any more are one."""
    arguments: bool = True
    """States that differ only in arguments that nothing has looked at yet are one."""
    hidden: bool = True
    """States that differ only in stale maps that no difference was seen to come of are one."""

    @property
    def canonical(self) -> bool:
        """Whether states are renamed, or fields of them cleared, at all."""
        return self.symmetry or self.counters or self.dead or self.arguments or self.hidden

    def has(self, reduction: Reduction) -> bool:
        """Return whether a reduction is on."""
        return bool(getattr(self, reduction.name))

    def without(self, *reductions: Reduction) -> Reductions:
        """Return the same with some reductions off."""
        return replace(self, **dict.fromkeys((each.name for each in reductions), False))

    def with_(self, *reductions: Reduction) -> Reductions:
        """Return the same with some reductions on."""
        return replace(self, **dict.fromkeys((each.name for each in reductions), True))


@dataclass(frozen=True)
class Reduction:
    """One sound reduction of the search."""

    name: str
    """The field of :class:`Reductions` that says whether it is on."""
    title: str
    """What reports call it."""
    flag: str
    """The option of the command line that switches it off."""
    help: str
    """What the search does without it."""
    section: str
    """The heading of the argument for it in docs/how-it-checks.md, up to the parenthesis."""
    analysis: Callable[[Model, Reductions, tuple[Assumption, ...]], Analysis] = field(repr=False)
    """Finds out where it applies in a model, with the other reductions that are on and the
    fields that are assumed never to be written while shared; gives None if nowhere."""


def _always(_model: Model, _on: Reductions, _assumed: tuple[Assumption, ...]) -> Analysis:
    return True


def _merging(model: Model, _on: Reductions, assumed: tuple[Assumption, ...]) -> Analysis:
    from iopermit.translate.analyses.merging import Merging

    return Merging(model, frozenset(assumed))


def _dead(model: Model, _on: Reductions, _assumed: tuple[Assumption, ...]) -> Analysis:
    from iopermit.translate.analyses.dead_fields import DeadFields

    return DeadFields(model)


def _arguments(model: Model, _on: Reductions, _assumed: tuple[Assumption, ...]) -> Analysis:
    from iopermit.translate.analyses.late_arguments import LateArguments

    late = LateArguments(model)
    return late if late.open else None


def _hidden(model: Model, on: Reductions, _assumed: tuple[Assumption, ...]) -> Analysis:
    """Between writing a map and storing its base the map matters: it takes merging."""
    from iopermit.translate.analyses.hidden_maps import hidden_maps

    return hidden_maps(model, renamed=on.counters) if on.merging else None


SYMMETRY: Final = Reduction(
    "symmetry",
    "symmetry",
    "--no-symmetry",
    "Tell apart states that differ in names only.",
    "Symmetry",
    _always,
)
MERGING: Final = Reduction(
    "merging",
    "merging of steps",
    "--no-merging",
    "Interleave steps that nothing can observe.",
    "Merging steps",
    _merging,
)
COUNTERS: Final = Reduction(
    "counters",
    "counter renaming",
    "--no-counter-renaming",
    "Keep sequence numbers as they are.",
    "Counter renaming",
    _always,
)
DEAD_FIELDS: Final = Reduction(
    "dead",
    "dead fields",
    "--no-dead-fields",
    "Tell apart values that nothing can read.",
    "Dead fields of tasks",
    _dead,
)
LATE_ARGUMENTS: Final = Reduction(
    "arguments",
    "late arguments",
    "--no-late-arguments",
    "Choose ioperm()'s ports at its start.",
    "Late arguments",
    _arguments,
)
HIDDEN_MAPS: Final = Reduction(
    "hidden",
    "hidden maps",
    "--no-hidden-maps",
    "Tell apart stale maps behind a bad base.",
    "Hidden maps",
    _hidden,
)

REDUCTIONS: Final = (SYMMETRY, MERGING, COUNTERS, DEAD_FIELDS, LATE_ARGUMENTS, HIDDEN_MAPS)
"""Every reduction, in the order of the command line."""

NO_REDUCTIONS: Final = Reductions().without(*REDUCTIONS)
"""Every single step of every single state."""


def analyse(
    model: Model, on: Reductions, assumed: tuple[Assumption, ...] = ()
) -> dict[Reduction, Analysis]:
    """Return what each reduction that is on finds out about a model, if it can be applied."""
    found = {each: each.analysis(model, on, assumed) for each in REDUCTIONS if on.has(each)}
    return {reduction: analysis for reduction, analysis in found.items() if analysis is not None}
