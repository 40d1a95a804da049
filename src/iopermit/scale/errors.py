"""What goes wrong with searches beyond one memory, other than what any search may meet."""

from __future__ import annotations


class ScaleError(Exception):
    """What was asked for cannot be done; ``str()`` says why, and what to do."""


class CheckpointError(ScaleError):
    """A checkpoint cannot be used: damaged, of something else, or in use."""


class OwnerLostError(Exception):
    """A process or a machine that owned partitions is gone; ``str()`` says which."""
