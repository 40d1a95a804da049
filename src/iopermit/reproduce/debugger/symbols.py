"""Addresses of the kernel's symbols, and their names."""

from __future__ import annotations

import bisect


class SymbolTable:
    """Addresses of the kernel's symbols, and their names."""

    def __init__(self, symbols: dict[str, int]) -> None:
        """Sort the symbols."""
        self.addresses = symbols
        ordered = sorted((address, name) for name, address in symbols.items())
        self._starts = [address for address, _ in ordered]
        self._names = [name for _, name in ordered]

    def find(self, name: str) -> int | None:
        """Return the address of a function, or of the one copy that the compiler made of it."""
        if name in self.addresses:
            return self.addresses[name]
        copies = [s for s in self.addresses if s.startswith(f"{name}.") and ".cold" not in s]
        return self.addresses[copies[0]] if len(copies) == 1 else None

    def start_of(self, address: int) -> int:
        """Return where the function begins that an instruction belongs to."""
        return self._starts[max(bisect.bisect_right(self._starts, address) - 1, 0)]

    def place(self, address: int) -> str:
        """Return an address as symbol and offset, such as ``task_update_io_bitmap+0x16``."""
        number = bisect.bisect_right(self._starts, address) - 1
        if number < 0:
            return f"{address:#x}"
        return f"{self._names[number]}+{address - self._starts[number]:#x}"
