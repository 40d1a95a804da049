"""What a planted fault is: an edit of a repaired tree, and what the check has to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.support.kernel.faults import Edit

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

CALLS: Final = Scenario(1, 1, 1, frozenset({Event.IOPERM}))
"""For what single calls show: there is next to nothing to search."""
TASKS: Final = Scenario(
    1, 2, 2, frozenset({Event.IOPERM, Event.IOPL, Event.FORK, Event.FORK_FAILS, Event.EXIT})
)
"""One CPU, without preemption in the kernel."""
PREEMPTED: Final = Scenario(1, 2, 2, frozenset({Event.IOPERM, Event.PREEMPT}))
TWO_CPUS: Final = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.EXIT}))
UNDETERMINED: Final = "undetermined"
HOLDS: Final = "holds"


@dataclass(frozen=True)
class PlantedFault:
    """An edit, or several that belong together, and what the check has to say.

    Attributes:
        what: what the edit does, in a few words.
        edits: the edit.
        kinds: the kinds of violation of which one has to be found; `undetermined` or `holds` if
            that is what the verdict has to be.
        functions: the C functions of which the line that is blamed, or the reason of no verdict,
            has to be one.
        scenario: where it shows.
        says: words of the message, or of the reason.
        source: where the idea is from, such as the code of a bug; or empty.
        versions: the trees in which it can be planted.
        configuration: what the tree is configured to.
    """

    what: str
    edits: tuple[Edit, ...]
    kinds: frozenset[str]
    functions: frozenset[str] = frozenset()
    scenario: Scenario = CALLS
    says: str = ""
    source: str = ""
    versions: tuple[str, ...] = ("6.1", "6.12")
    configuration: str = "full"

    @property
    def is_harmless(self) -> bool:
        """Whether the tree has to hold."""
        return self.kinds == {HOLDS}


def planted(
    what: str,
    kinds: str,
    functions: str,
    *changes: tuple[str, str, str],
    scenario: Scenario = CALLS,
    says: str = "",
    source: str = "",
) -> PlantedFault:
    """Return a fault that is some replacements.

    Args:
        what: what it does.
        kinds: the kinds, with spaces in between.
        functions: the functions, likewise.
        changes: file, pattern, and replacement; without one the line goes, too.
        scenario: where it shows.
        says: words of the message.
        source: where the idea is from.
    """
    names = frozenset(functions.split())
    function = min(names, default="")
    edits = tuple(
        Edit(what, path, old if new else rf"\n[ \t]*{old}", new, function)
        for path, old, new in changes
    )
    return PlantedFault(what, edits, frozenset(kinds.split()), names, scenario, says, source)
