"""What keeps a counterexample from being executed on a booted kernel."""

from __future__ import annotations


class ReproduceError(Exception):
    """Input or tools that cannot be used; ``str()`` says what is wrong and what to do."""


class UnforcedError(Exception):
    """A step could not be forced; ``str()`` says why, as the end of a sentence."""

    def __init__(self, step: int | None, reason: str) -> None:
        """Name the step by its number in the table, or None if it concerns none of them."""
        super().__init__(reason)
        self.step = step
