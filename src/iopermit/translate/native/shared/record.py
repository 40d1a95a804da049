"""What a thread of the search and native code share: arrays of a partition, and how far it is."""

from __future__ import annotations

import ctypes
from typing import Final

FIELDS: Final = (
    "states", "links", "table", "shift", "size", "count", "next", "transitions",
    "buffers", "parents", "hashes", "fill", "entries", "room",
    "successors", "labels", "covered", "found",
)  # fmt: skip
"""The order of the record's fields; each has 64 bits."""


class PartitionRecord(ctypes.Structure):
    """Addresses and numbers that the functions of ``native/engine.py`` read and write."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in FIELDS)

    states: int
    """Address of the stored states, one after the other."""
    links: int
    """Address of a 32-bit number per state: where its predecessor is."""
    table: int
    """Address of the index, a hash table; `shift` gives the place of a hash in it."""
    shift: int
    size: int
    """Number of places of the index."""
    count: int
    """Number of states."""
    next: int
    """The state to be expanded next."""
    transitions: int
    buffers: int
    """Address of a buffer of `entries` states for each partition; `fill` counts them."""
    parents: int
    hashes: int
    fill: int
    entries: int
    room: int
    """How many states may be in a buffer when another one is expanded."""
    successors: int
    """Addresses of what `expand` writes if it cannot write to the buffer itself."""
    labels: int
    covered: int
    found: int
    """Address of the lowest violating state plus one, and of their number, per verdict."""
