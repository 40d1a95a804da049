"""Counts the instructions that Unicorn executes, block by block, in native code.

Unicorn's own limit of instructions calls back before each one, which is many times slower.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final

import llvmlite.binding as llvm
import unicorn
from unicorn import unicorn_const as uc_const

if TYPE_CHECKING:
    from unicorn import Uc

_ENTRIES: Final = 1 << 16
"""Blocks in the table; of two that share an entry, the one translated last is counted exactly."""
_SHIFT: Final = 16
_UNLIMITED: Final = 1 << 62

_SOURCE: Final = f"""
define void @count(i8* %engine, i64 %address, i32 %size, i64* %table) {{
  %upper = lshr i64 %address, {_SHIFT}
  %mixed = xor i64 %address, %upper
  %index = and i64 %mixed, {_ENTRIES - 1}
  %twice = shl i64 %index, 1
  %slot = add i64 %twice, 2
  %key_at = getelementptr i64, i64* %table, i64 %slot
  %key = load i64, i64* %key_at
  %count_at = getelementptr i64, i64* %key_at, i64 1
  %known = load i64, i64* %count_at
  %bytes = zext i32 %size to i64
  %quarter = lshr i64 %bytes, 2
  %guess = add i64 %quarter, 1
  %match = icmp eq i64 %key, %address
  %count = select i1 %match, i64 %known, i64 %guess
  %left = load i64, i64* %table
  %rest = sub i64 %left, %count
  store i64 %rest, i64* %table
  %over = icmp slt i64 %rest, 0
  br i1 %over, label %stop, label %done
stop:
  %function_at = getelementptr i64, i64* %table, i64 1
  %number = load i64, i64* %function_at
  %function = inttoptr i64 %number to i32 (i8*)*
  %error = tail call i32 %function(i8* %engine)
  br label %done
done:
  ret void
}}
"""
"""The callback. Words of the table: instructions left, uc_emu_stop, then address and count of
each block. A block that the table does not have counts as one instruction per four bytes."""


class BlockCounter:
    """The counter of one engine."""

    def __init__(self, uc: Uc) -> None:
        """Attach it; the caller makes Unicorn translate all code again."""
        self._table = (ctypes.c_int64 * (2 + 2 * _ENTRIES))()
        library: Any = unicorn.unicorn_py3.unicorn.uclib
        stop = ctypes.cast(library.uc_emu_stop, ctypes.c_void_p).value
        assert stop is not None
        self._table[1] = stop
        self._granted = _UNLIMITED
        self._table[0] = _UNLIMITED
        self._code, address = _compile()
        hook = ctypes.c_size_t()
        status = library.uc_hook_add(
            uc._uch,  # noqa: SLF001 - the binding takes Python callbacks only
            ctypes.byref(hook),
            uc_const.UC_HOOK_BLOCK,
            ctypes.c_void_p(address),
            ctypes.c_void_p(ctypes.addressof(self._table)),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status != uc_const.UC_ERR_OK:
            raise RuntimeError(f"Unicorn refuses a hook with error {status}")

    @property
    def budget(self) -> int | None:
        """How many instructions may be executed from now on; None: any number."""
        return None if self._granted == _UNLIMITED else self._granted

    @budget.setter
    def budget(self, instructions: int | None) -> None:
        self._granted = _UNLIMITED if instructions is None else instructions
        self._table[0] = self._granted

    @property
    def executed(self) -> int:
        """How many instructions were executed since the budget was set."""
        return self._granted - self._table[0]

    @property
    def exhausted(self) -> bool:
        """Whether the budget is used up."""
        return self._table[0] < 0

    def add(self, address: int, size: int, instructions: int) -> None:
        """Learn how many instructions a block has."""
        index = (address ^ address >> _SHIFT) & (_ENTRIES - 1)
        signed = address - (1 << 64) if address >> 63 else address
        self._table[2 + 2 * index] = signed
        self._table[3 + 2 * index] = instructions or 1 + size // 4


def _compile() -> tuple[Any, int]:
    """Return the machine code of the callback and its address."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_SOURCE), machine)
    engine.finalize_object()
    return (engine, machine), engine.get_function_address("count")
