"""A clock of a machine that goes on only when a test or a device lets it."""


class Clock:
    """The clock of a machine."""

    def __init__(self, realtime: int) -> None:
        self.realtime = realtime

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.realtime += nanoseconds
