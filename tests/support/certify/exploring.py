"""A search of small scenarios with nothing but the checker's own idea of what can happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.events import Events
from iopermit.certify.initial import initial_state
from iopermit.certify.kernel import build
from iopermit.certify.names import Names
from iopermit.certify.specification import Specification

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

_WIDTH = 17


def explore(design: type[Design], scenario: Scenario) -> tuple[int, int]:
    """Visit every reachable state; return how many there are, and how many transitions.

    Raises:
        Refuted: something violates the specification, or crashes.
        UnacceptableError: the design cannot be interpreted.
    """
    kernel = build(design, scenario)
    specification = Specification(kernel)
    events = Events(kernel, specification)
    widths = dict.fromkeys(range(kernel.layout.width), _WIDTH)
    names = Names(kernel, widths, symmetry=True, numbers=True)
    frontier, transitions = initial_state(kernel), 0
    names.clear_dead(frontier)
    visited = {names.keys(frontier)[0].tobytes()}
    while len(frontier):
        specification.check(frontier)
        fresh = []
        for found in events.after(frontier):
            names.clear_dead(found.table)
            keys, lost = names.keys(found.table)
            assert not lost.any()
            transitions += len(keys)
            for state, key in zip(found.table, (row.tobytes() for row in keys), strict=True):
                if key not in visited:
                    visited.add(key)
                    fresh.append(state)
        frontier = np.array(fresh, np.int32).reshape(len(fresh), kernel.layout.width)
    return len(visited), transitions
