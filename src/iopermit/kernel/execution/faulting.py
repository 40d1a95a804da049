"""Tells what a fault of the emulated CPU means for the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.execution.crashes import Crash
from iopermit.kernel.execution.emulator import RSP, Emulator, Fault
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Collection

_NULL_PAGES = 16


def crash_of(emulator: Emulator, fault: Fault, heap: int, used: Collection[int]) -> Crash:
    """Return the crash that a fault is.

    Args:
        emulator: the machine.
        fault: what happened.
        heap: how many heap slots there are.
        used: the slots in use.

    Raises:
        KernelTreeError: kernel code needs a symbol that nobody defines.
    """
    where = fault.instruction
    if fault.kind == "undefined":
        return Crash("a WARN() or BUG() of the kernel was hit", where)
    if fault.kind == "exception":
        return Crash("the processor raises an exception", where)
    address = fault.address
    if address < at.PAGE * _NULL_PAGES:
        return Crash(f"null pointer dereference: {fault.access} of address {address:#x}", where)
    if at.HEAP <= address < at.HEAP + heap * at.HEAP_STRIDE:
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if slot in used:
            return Crash(f"{fault.access} {offset} bytes into an object: out of bounds", where)
        return Crash(f"use after free: {fault.access} of a freed object", where)
    _raise_if_missing(emulator, address, where)
    return Crash(f"{fault.access} of {address:#x}, where there is no memory", where)


def _raise_if_missing(emulator: Emulator, address: int, where: int) -> None:
    image = emulator.image
    start = address - address % at.MISSING_STRIDE
    if start not in image.missing:
        return
    if image.function_at(where) is None:
        # It was called: the return address tells by whom.
        where = int.from_bytes(emulator.read(emulator.register(RSP), 8), "little") - 1
    function = image.function_at(where)
    wanted = f"{function.name}() in {function.object.name}" if function else f"{where:#x}"
    raise KernelTreeError(
        f"{wanted} needs {image.missing[start]}, which neither the built objects nor iopermit "
        "define; report it, with the kernel's version, so that it can be added"
    )
