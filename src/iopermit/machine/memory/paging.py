"""Page tables of long mode: what the processor consults to find a page.

Source: Intel SDM vol. 3, chapter "Paging", "4-Level Paging".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.machine.memory.physical import PAGE, RESERVED

if TYPE_CHECKING:
    from iopermit.machine.memory.physical import PhysicalMemory

PRESENT: Final = 1
WRITABLE: Final = 2
USER: Final = 4
ACCESSED: Final = 0x20
DIRTY: Final = 0x40
LARGE: Final = 0x80
NO_EXECUTE: Final = 1 << 63
ADDRESS: Final = 0x000F_FFFF_FFFF_F000

WRITE_FAULT: Final = 2
"""Bit of a page fault's error code: it was a write."""
FETCH_FAULT: Final = 16
"""Bit of a page fault's error code: it was an instruction fetch."""

KERNEL_BASE: Final = 0xFFFF_8000_0000_0000
"""Where every address space maps the kernel's part of physical memory, for CPL 0 only."""

_KERNEL_SLOT: Final = 256
"""The entry of the top table for `KERNEL_BASE`."""

_ENTRIES: Final = 512


class PageTables:
    """The page tables of one address space.

    Attributes:
        root: physical address of the top table: what CR3 holds.
    """

    def __init__(self, memory: PhysicalMemory) -> None:
        """Make tables that map only the kernel. Raises OutOfMemoryError."""
        self._memory = memory
        self._tables: dict[int, int] = {}
        self._owned: list[int] = []
        self.root = self._new_table()
        directory, tables = self._new_table(), self._new_table()
        words = memory.words
        words[self.root // 8 + _KERNEL_SLOT] = directory | PRESENT | WRITABLE
        words[directory // 8] = tables | PRESENT | WRITABLE
        for number in range(RESERVED // (2 << 20)):
            entry = number * (2 << 20) | PRESENT | WRITABLE | LARGE
            words[tables // 8 + number] = entry | ACCESSED | DIRTY

    def map(self, virtual: int, page: int, *, writable: bool, executable: bool) -> None:
        """Let a virtual page (its number) be a physical page. Raises OutOfMemoryError."""
        entry = page * PAGE | PRESENT | USER | ACCESSED | DIRTY
        if writable:
            entry |= WRITABLE
        if not executable:
            entry |= NO_EXECUTE
        self._memory.words[self._table(virtual) // 8 + virtual % _ENTRIES] = entry

    def unmap(self, virtual: int) -> None:
        """Let a virtual page be absent."""
        table = self._tables.get(virtual // _ENTRIES)
        if table is not None:
            self._memory.words[table // 8 + virtual % _ENTRIES] = 0

    def release(self) -> None:
        """Give the memory of the tables back."""
        for page in self._owned:
            self._memory.release(page)
        self._owned.clear()
        self._tables.clear()

    def _table(self, virtual: int) -> int:
        """Return the address of the lowest table that has the entry of a virtual page."""
        key = virtual // _ENTRIES
        table = self._tables.get(key)
        if table is None:
            table = self.root
            for shift in (27, 18, 9):
                slot = table // 8 + (virtual >> shift) % _ENTRIES
                entry = self._memory.words[slot]
                if not entry & PRESENT:
                    entry = self._new_table() | PRESENT | WRITABLE | USER | ACCESSED
                    self._memory.words[slot] = entry
                table = entry & ADDRESS
            self._tables[key] = table
        return table

    def _new_table(self) -> int:
        page = self._memory.allocate()
        self._owned.append(page)
        return page * PAGE


def translate(
    memory: PhysicalMemory, root: int, address: int, *, write: bool = False, fetch: bool = False
) -> int | None:
    """Return the physical address that user code reaches at a virtual one, or None.

    Only what `PageTables.map` writes is understood.

    Args:
        memory: where the tables are.
        root: physical address of the top table.
        address: the virtual address.
        write: whether it is to be written.
        fetch: whether it is to be executed.
    """
    needed = PRESENT | USER | WRITABLE * write
    entry = root
    for shift in (39, 30, 21, 12):
        entry = memory.words[(entry & ADDRESS) // 8 + (address >> shift) % _ENTRIES]
        if entry & needed != needed or (fetch and entry & NO_EXECUTE):
            return None
    return (entry & ADDRESS) | address % PAGE
