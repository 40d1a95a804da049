"""The visited set: states seen so far, as tuples of small numbers, and how they were reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.kernel.search.rules import Move
    from iopermit.kernel.state.contents import Component
    from iopermit.kernel.state.state import State

Packed = tuple[int, ...]
"""A state as the numbers of its components."""


class VisitedSet:
    """Canonical representatives, each with its first predecessor and the action from there."""

    def __init__(self) -> None:
        """Start without any."""
        self._numbers: dict[Component | None, int] = {}
        self._parents: dict[Packed, tuple[Packed, Move] | None] = {}

    def begin(self, initial: State) -> Packed:
        """Forget all states but an initial one."""
        packed = self.pack(initial)
        self._parents = {packed: None}
        return packed

    def add(self, state: State, parent: Packed, move: Move) -> Packed | None:
        """Add a state; return it packed if it is new."""
        packed = self.pack(state)
        if packed in self._parents:
            return None
        self._parents[packed] = (parent, move)
        return packed

    def path(self, packed: Packed) -> list[tuple[Packed, Move]]:
        """Return the way to a state: each state after the initial one, and the action before it."""
        path = []
        while (link := self._parents[packed]) is not None:
            path.append((packed, link[1]))
            packed = link[0]
        path.reverse()
        return path

    def pack(self, state: State) -> Packed:
        """Return a state as numbers."""
        numbers = self._numbers
        packed = []
        for component in (*state.cpus, *state.tasks, *state.heap, state.data):
            number = numbers.get(component)
            if number is None:
                number = numbers[component] = len(numbers)
            packed.append(number)
        return tuple(packed)
