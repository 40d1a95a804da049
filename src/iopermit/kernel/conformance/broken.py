"""How kernel code breaks a rule that holds for single calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.engine.trace import Ranges, ViolationKind


@dataclass
class BrokenRule(Exception):  # noqa: N818 - a result
    """A call that does not do what it has to.

    Attributes:
        kind: what is wrong.
        message: what, in one sentence.
        task: the task that is concerned, as a letter.
        ports, allowed, granted: as ranges, for leaks and losses.
        function: the C function to be blamed if nothing of it was executed.
    """

    kind: ViolationKind
    message: str
    task: str = ""
    ports: Ranges = ()
    allowed: Ranges = ()
    granted: Ranges = ()
    function: str = ""
    steps: list[str] = field(default_factory=list)
    """The calls up to the one that is wrong."""
