"""What the debugger saw in one attempt of the guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.report.reproduction.facts import Observation


@dataclass
class Attempt:
    """What was seen in one attempt of the guest."""

    number: int
    calls: dict[str, int] = field(default_factory=dict)
    """How many of its commands each task has begun."""
    first_flags: dict[str, int] = field(default_factory=dict)
    """The flags of each task when it made its first call."""
    observations: dict[int, Observation] = field(default_factory=dict)
    """By the number of the step."""
    armed: bool = False
    """Whether the call in which a task is to be preempted has begun."""
    preempted: bool = False
    missed: bool = False
    """Whether the task that was to preempt the other one ran before that had got to its point."""
    forbidden: str = ""
    """Where preemption is off although the counterexample has the task preempted there."""
