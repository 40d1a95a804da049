"""Which reductions of the search are on, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass


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


NO_REDUCTIONS = Reductions(
    symmetry=False, merging=False, counters=False, dead=False, arguments=False, hidden=False
)
"""Every single step of every single state."""

REDUCTIONS = {
    "symmetry": "symmetry",
    "merging": "merging of steps",
    "counters": "counter renaming",
    "dead": "dead fields",
    "arguments": "late arguments",
    "hidden": "hidden maps",
}
"""The fields of :class:`Reductions`, in words."""
