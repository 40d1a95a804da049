"""Of what a checkpoint is: another design, scenario or version must not go on from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import iopermit
from iopermit import translate
from iopermit.engine.certificate import source_digest
from iopermit.scale.errors import CheckpointError
from iopermit.scale.partitions import PARTITIONS
from iopermit.translate.analyses.reductions import REDUCTIONS
from iopermit.translate.native.code_cache import hash_of_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.search.problem import Problem

_SHOWN: Final = 12
"""Digits of a digest that are kept: they are compared, and shown to people."""


def identity_of(problem: Problem) -> dict[str, str]:
    """Return what is searched and by what, each under the name that a message gives it."""
    design, scenario = problem.design, problem.scenario
    switches = sorted(name for name in design.options if getattr(design, name))
    on = [each.name for each in REDUCTIONS if problem.settings.reductions.has(each)]
    return {
        "design": design.id or design.__name__,
        "source of the design": source_digest(design)[:_SHOWN],
        "set of options": " ".join(switches) or "none",
        "scenario": f"{scenario.size}",
        "set of events": " ".join(sorted(event.name for event in scenario.events)),
        "rules of the scenario": f"{'' if scenario.garbage else 'without '}garbage",
        "set of reductions": " ".join(on) or "none",
        "version of iopermit": f"{iopermit.__version__} ({_sources()})",
        "number of partitions": str(PARTITIONS),
    }


def require_same(found: Mapping[str, str], wanted: Mapping[str, str], name: str) -> None:
    """Refuse a checkpoint of something else.

    Args:
        found: its identity.
        wanted: that of the search that is to go on.
        name: the directory.

    Raises:
        CheckpointError: it says what differs, and both values.
    """
    for what in wanted:
        if found.get(what) != wanted[what]:
            raise CheckpointError(
                f"the checkpoint in {name} has another {what}: {found.get(what, 'none')}, "
                f"and this search has {wanted[what]}; give the command that began it, or begin anew"
            )


def _sources() -> str:
    """Return a digest of the code that says what the bits of a state mean."""
    return hash_of_sources(Path(translate.__file__).parent)[:_SHOWN]
