"""Which hidden maps a model has met: read from its machine code, and written to it."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from iopermit.translate.analyses.hidden_maps import HiddenMaps
from iopermit.translate.native.shared.hidden_values import FLAGS, GREW, MATTERED, ON, VALUES

if TYPE_CHECKING:
    from iopermit.translate.native.jit import Compiled


def known_maps(compiled: Compiled) -> bytes:
    """Return a byte for each map that may be hidden, and whether they are forgotten at all.

    It is empty for a model that forgets none.
    """
    if compiled.hidden is None:
        return b""
    values, flags = _arrays(compiled)
    return bytes(values) + bytes([flags[ON]])


def tell_known_maps(compiled: Compiled, known: bytes) -> None:
    """Let a model know the maps that another search of the same model has met."""
    if compiled.hidden is not None and known:
        values, flags = _arrays(compiled)
        ctypes.memmove(values, known[:-1], len(values))
        flags[ON] = known[-1]


def hidden_state(compiled: Compiled) -> bytes:
    """Return all that a model notes about hidden maps: for :func:`note_hidden_state`."""
    if compiled.hidden is None:
        return b""
    values, flags = _arrays(compiled)
    return bytes(values) + bytes(flags)


def note_hidden_state(compiled: Compiled, state: bytes) -> None:
    """Note what another search of the same model has met, as if it was met here."""
    if compiled.hidden is None or not state:
        return
    values, flags = _arrays(compiled)
    ctypes.memmove(values, bytes(map(max, values, state)), len(values))
    for flag in (GREW, MATTERED):
        flags[flag] = max(flags[flag], state[len(values) + flag])


def _arrays(
    compiled: Compiled,
) -> tuple[ctypes.Array[ctypes.c_uint8], ctypes.Array[ctypes.c_uint8]]:
    engine, _ = compiled.keep
    count = 1 << HiddenMaps(compiled.model).bits
    values = (ctypes.c_uint8 * count).from_address(engine.get_global_value_address(VALUES))
    return values, (ctypes.c_uint8 * 3).from_address(engine.get_global_value_address(FLAGS))
