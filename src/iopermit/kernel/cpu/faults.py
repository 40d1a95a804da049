"""Tells what a fault of the emulated CPU means for the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.cpu.crashes import Crash, CrashKind
from iopermit.kernel.cpu.emulator import Fault, FaultKind
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Collection

_NULL_PAGES = 16


def crash_of(fault: Fault, heap: int, used: Collection[int]) -> Crash:
    """Return the crash that a fault is.

    Args:
        fault: what happened.
        heap: how many heap slots there are.
        used: the slots in use.

    """
    where = fault.instruction
    if fault.kind is FaultKind.UNDEFINED:
        return Crash(CrashKind.WARNING, "a WARN() or BUG() of the kernel was hit", where)
    if fault.kind is FaultKind.EXCEPTION:
        return Crash(CrashKind.EXCEPTION, "the processor raises an exception", where)
    address = fault.address
    if address < at.PAGE * _NULL_PAGES:
        what = f"null pointer dereference: {fault.access} of address {address:#x}"
        return Crash(CrashKind.NULL_POINTER, what, where)
    if at.HEAP <= address < at.HEAP + heap * at.HEAP_STRIDE:
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if slot in used:
            what = f"{fault.access} {offset} bytes into an object: out of bounds"
            return Crash(CrashKind.OUT_OF_BOUNDS, what, where)
        what = f"use after free: {fault.access} of a freed object"
        return Crash(CrashKind.USE_AFTER_FREE, what, where)
    what = f"{fault.access} of {address:#x}, where there is no memory"
    return Crash(CrashKind.NO_MEMORY, what, where)
