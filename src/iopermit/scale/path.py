"""The shortest path to each violation that was found: of several, that of the least states."""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.engine.interruption import Interruption
    from iopermit.scale.owners.interface import LevelOwner
    from iopermit.scale.owners.looking_back import State
    from iopermit.search.exploration.memory import Words


def paths_to(
    owner: LevelOwner, wanted: Mapping[int, int], interruption: Interruption
) -> dict[int, list[Words]]:
    """Return a path of states from the first of all to a violating one for each code.

    The last state is the least violating one of its level, and each state before it is the least
    of its level that leads to the next. So the path depends neither on the number of threads or
    owners nor on time. Every level before the last is expanded once more.

    Args:
        owner: who has the states.
        wanted: the level for each kind and statement.
        interruption: whether Ctrl-C was pressed.

    Raises:
        KeyboardInterrupt: it was.
    """
    at_level: dict[int, list[int]] = defaultdict(list)
    for code, level in wanted.items():
        at_level[level].append(code)
    paths: dict[int, list[State]] = {}
    for level in range(max(at_level, default=-1), -1, -1):
        if interruption.requested:
            raise KeyboardInterrupt
        codes = list(paths)
        before = owner.least_predecessors(level, [paths[code][-1] for code in codes])
        for code, state in zip(codes, before, strict=True):
            assert state is not None  # some state of the level led to it
            paths[code].append(state)
        if at_level[level]:
            least = owner.least_violating(level, at_level[level])
            paths |= {code: [state] for code, state in least.items()}
    return {code: [array("Q", state) for state in path[::-1]] for code, path in paths.items()}
