"""What goes wrong in checking: a counterexample that cannot be executed, a missing library."""

from __future__ import annotations


class ReplayError(Exception):
    """The schedule of a violation, executed again, does not show it."""


class UnrepeatedError(ReplayError):
    """A row of refusals comes to an end; ``str()`` says how, as the end of a sentence."""


class MissingExtraError(Exception):
    """A part of iopermit needs a library that is installed only on demand."""

    def __init__(self, extra: str, library: str) -> None:
        """Name the extra of the package, and the library."""
        super().__init__(f"this needs {library}; install it: pip install 'iopermit[{extra}]'")


class ScheduleError(Exception):
    """The path of a search cannot be followed with fixed names and single steps."""
