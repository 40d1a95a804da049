"""The exit status of every verb."""

import enum


class ExitCode(enum.IntEnum):
    """What the exit status of iopermit says."""

    HOLDS = 0
    """No violation within the scenario, which was searched to the end; or nothing was checked."""
    VIOLATED = 1
    """A violation was found and confirmed at full size."""
    BAD_INPUT = 2
    """Wrong usage, a design that cannot be accepted, or output that cannot be written."""
    UNDETERMINED = 3
    """A limit was reached, or the search was interrupted."""
    INTERNAL_ERROR = 4
    """A fault of iopermit itself."""
    REPAIRED = 5
    """Of replay: what is checked changed, and the schedule no longer shows the violation."""


class ProgramStatus(int):
    """The exit status of a program that `iopermit run` executed, which is passed on."""


_OF_VERDICT = {
    "holds": ExitCode.HOLDS,
    "violated": ExitCode.VIOLATED,
    "undetermined": ExitCode.UNDETERMINED,
}


def exit_code(verdict: str) -> ExitCode:
    """Return the exit status for a verdict."""
    return _OF_VERDICT[verdict]
