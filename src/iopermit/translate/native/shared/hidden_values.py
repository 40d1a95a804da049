"""The arrays in which machine code and search tell each other about hidden maps."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

from iopermit.translate.analyses.hidden_maps import HiddenMaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.model.model import Model


ON, GREW, MATTERED = range(3)
"""Positions in ``hidden_flags``."""
VALUES: Final = "hidden_values"
FLAGS: Final = "hidden_flags"


class HiddenValues:
    """Which hidden maps were met, and whether one made a difference.

    Threads of a search share the arrays. They only ever raise flags, so no order matters.
    """

    def __init__(self, values: int, flags: int, bits: int, fresh: int) -> None:
        """Wrap the arrays at two addresses; a fresh TSS is known from the start."""
        self._values = (ctypes.c_uint8 * (1 << bits)).from_address(values)
        self._flags = (ctypes.c_uint8 * 3).from_address(flags)
        self._values[fresh] = 1
        self._flags[ON] = 1

    @property
    def is_on(self) -> bool:
        """Whether hidden maps are forgotten."""
        return bool(self._flags[ON])

    @property
    def failed(self) -> bool:
        """Whether what was found since :meth:`restart` does not count."""
        return bool(self._flags[GREW] or self._flags[MATTERED])

    def restart(self) -> None:
        """Begin again: with the maps that are known by now, or without the reduction."""
        if self._flags[MATTERED]:
            self._flags[ON] = 0
        self._flags[GREW] = self._flags[MATTERED] = 0


def hidden_values(model: Model, address: Callable[[str], int]) -> HiddenValues | None:
    """Return the arrays of a compiled model, or None if its code forgets no hidden maps.

    ``address`` gives the address of a symbol, 0 if there is none.
    """
    values = address(VALUES)
    if not values:
        return None
    hidden = HiddenMaps(model)
    return HiddenValues(values, address(FLAGS), hidden.bits, hidden.fresh_number)
