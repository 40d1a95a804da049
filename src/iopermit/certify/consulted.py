"""What a CPU allows user code: what a design says that the processor consults, and its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.effects import EVERY_LEVEL
from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.constants import Scope, Value
from iopermit.certify.language.expressions import Expressions
from iopermit.certify.language.source import find_method
from iopermit.system.bitmap import PORTS
from iopermit.system.machine_state import IoMapBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from iopermit.certify.state import Batch, Layout, Numbers, Read, Rows
    from iopermit.system.design import Design


class Consulted:
    """Tells which ports the own CPU allows its task, and which the task was granted."""

    def __init__(self, design: type[Design], layout: Layout) -> None:
        """Interpret what the design says.

        Raises:
            UnacceptableError: it says it in more than one expression.
        """
        self.design, self.layout = design, layout
        self._map = self._read("map_in_force")
        self._covered = self._read("limit_covers_map")
        self._level = self._read("iopl_in_force")
        self._beyond = self._read("ports_beyond_map_allowed")
        longs = layout.scenario.longs
        self._has_beyond = design.layout.map_ports < PORTS
        self._longs = (1 << longs) - 1
        self._all = (1 << (longs + self._has_beyond)) - 1

    def _read(self, name: str) -> Read:
        method = find_method(self.design, name)
        if method is None or method.expression is None:
            raise UnacceptableError(f"{name}() is not a single `return expression`")
        expressions = Expressions(self.design, self.layout, {}, "task")
        names = {
            "cpu": Value(lambda b, _r: b.cpu + 1, "ref", "cpu"),
            "task": Value(lambda b, r: b.task[r] + 1, "ref", "task"),
        }
        given = dict(zip(method.parameters, names.values(), strict=False))
        scope = Scope(method, {n: _always(value) for n, value in given.items()}, "consulted ")
        return expressions.within(scope, method.expression).read

    def ports(self, b: Batch, r: Rows) -> tuple[Numbers, Numbers]:
        """Return what the CPU allows and what its task was granted: a bit for each long.

        One more bit stands for the ports that a map has no bits for.
        """
        clear = self._longs & ~b.load(self.layout["tss", "bitmap"], b.cpu, r)
        if self._has_beyond:
            clear = np.where(self._beyond(b, r), clear | (self._all ^ self._longs), clear)
        selected = self._map(b, r)
        by_map = np.where(np.equal(selected, IoMapBase.VALID.value), clear, 0)
        by_map = np.where(np.equal(selected, IoMapBase.ALL.value), self._all, by_map)
        by_map = np.where(self._covered(b, r), by_map, 0)
        allowed = np.where(np.equal(self._level(b, r), EVERY_LEVEL), self._all, by_map)
        granted = np.where(
            b.load(self.layout["task", "granted_iopl"], b.task[r], r) != 0,
            self._all,
            b.load(self.layout["task", "granted"], b.task[r], r),
        )
        return allowed, granted

    def some(self, ports: Numbers) -> NDArray[np.bool_]:
        """Return where at least one of the ports that there are is among some."""
        found: NDArray[np.bool_] = (ports & self._all) != 0
        return found

    def refuses(self, b: Batch, r: Rows) -> NDArray[np.bool_]:
        """Return where the CPU refuses its task a port that the task was granted."""
        allowed, granted = self.ports(b, r)
        return self.some(granted & ~allowed)


def _always(value: Value) -> Callable[[], Value]:
    return lambda: value
