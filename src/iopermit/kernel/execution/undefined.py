"""Symbols that kernel code needs and nobody defines: all that code which is executed can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import capstone
from capstone import x86_const as x86

from iopermit.kernel.cpu.emulator import FaultKind
from iopermit.kernel.cpu.registers import RSP
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.execution.functions import BRING_UP, FUNCTIONS
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from iopermit.kernel.cpu.emulator import Emulator, Fault
    from iopermit.kernel.image.linker import Function, Image

_ADDRESS: Final = 0xFFFF_FFFF
"""Everything lies below 4 GiB."""


def raise_if_undefined(emulator: Emulator, fault: Fault) -> None:
    """Refuse to go on if a fault is the use of a symbol that nobody defines.

    Raises:
        KernelTreeError: it is; the message names this symbol, the function that needs it, and what
            else is missing in code that can be reached.
    """
    image = emulator.image
    wanted = _missing(image, fault.address) if fault.kind is FaultKind.MEMORY else None
    if wanted is None:
        return
    where = fault.instruction
    if image.function_at(where) is None:
        # It was called: the return address tells by whom.
        where = int.from_bytes(emulator.read(emulator.register(RSP), 8), "little") - 1
    function = image.function_at(where)
    if function is None:
        needed, entries = f"{where:#x}", []
    else:
        needed, entries = _named(function), [function]
    others = undefined_symbols(image, [*entries, *_entry_points(image)])
    others.pop(wanted, None)
    more = "".join(f"\n  {name}: {', '.join(users)}" for name, users in sorted(others.items()))
    also = f"; code that can be reached needs, too:{more}\n" if more else "; "
    raise KernelTreeError(
        f"{needed} needs {wanted}, which neither the built objects nor iopermit define{also}"
        f"report {'them' if more else 'it'}, with the kernel's version, so that "
        f"{'they' if more else 'it'} can be added"
    )


def undefined_symbols(image: Image, functions: Iterable[Function]) -> dict[str, list[str]]:
    """Return the symbols that nobody defines and some functions need, or those that they call.

    Args:
        image: the linked code.
        functions: where execution begins.

    Returns:
        The functions that need it, with their objects, for each symbol.
    """
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    disassembler.detail = True
    # There are instructions that it does not know.
    disassembler.skipdata = True
    found: dict[str, set[str]] = {}
    seen: set[int] = set()
    waiting = list(functions)
    while waiting:
        function = waiting.pop()
        if function.start in seen:
            continue
        seen.add(function.start)
        start = function.start - at.IMAGE
        code = image.code[start : start + function.size]
        for instruction in disassembler.disasm(code, function.start):
            for address in _addresses(instruction):
                name, other = _missing(image, address), image.function_at(address)
                if name is not None:
                    found.setdefault(name, set()).add(_named(function))
                elif other is not None:
                    waiting.append(other)
    return {name: sorted(users) for name, users in found.items()}


def _entry_points(image: Image) -> Iterator[Function]:
    """Yield the functions that are called from outside, as far as the image has them."""
    for name in (BRING_UP, *(one.name for one in FUNCTIONS.values())):
        function = image.function_at(image.symbols.get(name, 0))
        if function is not None:
            yield function


def _missing(image: Image, address: int) -> str | None:
    """Return the symbol without definition whose address, or a place near it, this is."""
    return image.missing.get(address - address % at.MISSING_STRIDE)


def _named(function: Function) -> str:
    return f"{function.name}() in {function.object.name}"


def _addresses(instruction: Any) -> Iterator[int]:  # noqa: ANN401 - capstone has no annotations
    """Yield the addresses that an instruction mentions."""
    # Bytes that are no instruction have no operands.
    for operand in instruction.operands if instruction.id else ():
        if operand.type == x86.X86_OP_IMM:
            yield operand.imm & _ADDRESS
        elif operand.type == x86.X86_OP_MEM:
            relative = operand.mem.base == x86.X86_REG_RIP
            start = instruction.address + instruction.size if relative else 0
            yield operand.mem.disp + start & _ADDRESS
