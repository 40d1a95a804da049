"""What shows that iopermit contradicts itself: a counterexample that cannot be executed."""

from __future__ import annotations


class ReplayError(Exception):
    """The schedule of a violation, executed again, does not show it."""


class ScheduleError(Exception):
    """The path of a search cannot be followed with fixed names and single steps."""
