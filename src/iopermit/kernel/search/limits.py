"""Where the search of a tree gives up: by states, time or memory, which is an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.engine.ending import MemoryLimit

if TYPE_CHECKING:
    from iopermit.engine.control import Control
    from iopermit.engine.ending import Ending
    from iopermit.engine.result import SearchResult


def ending_of(control: Control, result: SearchResult) -> Ending | None:
    """Return what ends a search now, or None.

    Args:
        control: has the limits.
        result: how many states there are, and how many bytes they take by an estimate.
    """
    ending, most = control.ending(result.states), control.limits.max_memory
    if ending is None and most is not None and result.memory >= most:
        return MemoryLimit()
    return ending
