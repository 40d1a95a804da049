"""What a tree has to do in single calls, and what its other code has to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.engine.trace import Replay, Violation
from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.conformance.obligations import check_obligations
from iopermit.kernel.conformance.sequential import sequential_pass
from iopermit.kernel.image.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from iopermit.kernel.image.lines import Lines
    from iopermit.kernel.image.linker import Image
    from iopermit.system.events import Event

Executed = set[tuple[int, int]]


@dataclass(frozen=True)
class Conformance:
    """What the sequential pass and the look at the object code found.

    Attributes:
        replay: how a rule is broken; None if none is.
        executed: address and size of the basic blocks that were executed.
        unchecked: calls that could not be looked for, in words.
    """

    replay: Replay | None
    executed: Executed
    unchecked: tuple[str, ...]
    doubt: str = ""
    """Why the pass cannot tell that everything is right."""

    @property
    def is_final(self) -> bool:
        """Whether no search would show it: a wrong result, or a call that is missing."""
        violation = self.replay.violation if self.replay is not None else None
        return violation is not None and violation.kind == "rule"


def conformance_of(
    image: Image,
    lines: Lines,
    objects: Iterable[Path],
    suspects: frozenset[tuple[str, int]] = frozenset(),
    events: Collection[Event] | None = None,
) -> Conformance:
    """Check a tree's single calls and obligations.

    Args:
        image: the tree's code.
        lines: its line tables.
        objects: the objects that were built, executed or not.
        suspects: file and number of lines that a patch changed, to be blamed first.
        events: the events that are asked for; None: all.

    Raises:
        KernelTreeError: the code needs something that is not there.
    """
    try:
        # A Xen PV guest has to tell the hypervisor, and not only its own TSS.
        unchecked = check_obligations(objects, Layout(image).get("offsetof_pv_update_io_bitmap"))
    except BrokenRule as broken:
        return Conformance(_missing_call(broken, lines, suspects), set(), ())
    calls = sequential_pass(image, lines, suspects, events)
    return Conformance(calls.replay, calls.executed, tuple(unchecked), calls.doubt)


def _missing_call(broken: BrokenRule, lines: Lines, suspects: frozenset[tuple[str, int]]) -> Replay:
    """Return a missing call as a violation, with a line that a patch changed, if any."""
    places = [lines.place(*place) for place in sorted(suspects)]
    own = (place for place in places if place.function == broken.function)
    site = next(own, places[0] if places else None)
    violation = Violation("rule", "", 0, (), (), (), "", broken.message, site)
    return Replay((), violation)
