"""The native inner loops of the search, callable from Python; they run without Python's lock."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from iopermit.translate.native.shared.record import PartitionRecord

if TYPE_CHECKING:
    from iopermit.translate.native.jit import Compiled

_NUMBER = ctypes.c_uint64
_ADDRESS = ctypes.c_void_p
_RECORD = ctypes.POINTER(PartitionRecord)


class NativeLoops:
    """The functions of :mod:`iopermit.translate.native.engine` for one model."""

    def __init__(self, compiled: Compiled) -> None:
        """Find the functions."""
        address = compiled.address
        self.hash_state = ctypes.CFUNCTYPE(_NUMBER, _ADDRESS)(address("hash_state"))
        self.expand_chunk = ctypes.CFUNCTYPE(None, _RECORD, _NUMBER, _NUMBER, _NUMBER)(
            address("expand_chunk")
        )
        self.insert = ctypes.CFUNCTYPE(None, _RECORD, _RECORD, _NUMBER)(address("insert"))
        self.move_entries = ctypes.CFUNCTYPE(None, _RECORD, _ADDRESS, _NUMBER)(
            address("move_entries")
        )


def home(value: int, partitions: int) -> int:
    """Return the partition that a hash belongs to, as native code does."""
    return (value & 0xFFFFFFFF) * partitions >> 32
