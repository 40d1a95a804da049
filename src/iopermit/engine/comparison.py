"""What a comparison of designs ends with: verdicts by design, set of events and scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from iopermit.system.events import Event, all_events, plain_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.engine.ladder import Bounds
    from iopermit.engine.verdict import VerdictValue

EventSets: TypeAlias = "Mapping[str, frozenset[Event]]"
"""The columns of the matrix, by their names on the command line."""


def event_sets(
    plain: frozenset[Event] | None = None, everything: frozenset[Event] | None = None
) -> EventSets:
    """Return the columns; the sets are those of today unless others are given."""
    plain, everything = plain or plain_events(), everything or all_events()
    return {
        "plain": plain,
        "plain-without-preempt": plain - {Event.PREEMPT},
        "all": everything,
        "all-without-preempt": everything - {Event.PREEMPT},
    }


@dataclass(frozen=True)
class Rung:
    """The verdict in one scenario."""

    bounds: Bounds
    outcome: VerdictValue
    states: int
    kinds: tuple[str, ...] = ()
    """Kinds of the violations found, the one with the shortest schedule first."""
    message: str = ""
    """The violation in one sentence, or why the search ended early."""
    needs_privilege: bool | None = None
    """For a leak: whether only tasks that have CAP_SYS_RAWIO at some time can gain ports."""
    too_few_longs: bool = False
    """Whether only a scenario with more longs can tell."""
    interrupted: bool = False
    """Whether Ctrl-C ended the search."""


@dataclass(frozen=True)
class Cell:
    """The verdicts about one subject under one set of events, smallest scenario first."""

    rungs: tuple[Rung, ...]
    largest: Bounds
    """The largest scenario that was asked for."""

    @property
    def decisive(self) -> Rung | None:
        """The scenario that shows the violation, or else the largest exhausted one."""
        decided = [rung for rung in self.rungs if rung.outcome != "undetermined"]
        return decided[-1] if decided else None

    @property
    def outcome(self) -> VerdictValue:
        """The verdict: "holds" only if the largest scenario was exhausted."""
        decisive = self.decisive
        if decisive is None:
            return "undetermined"
        if decisive.outcome == "holds" and decisive.bounds != self.largest:
            return "undetermined"
        return decisive.outcome

    @property
    def finished(self) -> bool:
        """Whether no scenario is left to search."""
        return bool(self.rungs) and (
            self.rungs[-1].outcome != "holds" or self.rungs[-1].bounds == self.largest
        )


Matrix = dict[str, dict[str, Cell]]
"""Cells by the subject's name and the name of the event set."""
