"""Physical memory: pages, and what the kernel keeps elsewhere but counts here."""

from __future__ import annotations

import pytest

from iopermit.machine.memory.areas import SharedPages
from iopermit.machine.memory.physical import PAGE, OutOfMemoryError, PhysicalMemory


def test_charges_add_up_to_pages() -> None:
    """Many small charges take as many pages as they need together, and give them back."""
    memory = PhysicalMemory(8 << 20)
    before = memory.free_pages
    charges = [memory.charge(PAGE // 4) for _ in range(40)]
    assert memory.free_pages == before - 10
    charges[0].resize(PAGE)
    assert memory.free_pages == before - 11
    charges.clear()
    assert memory.free_pages == before


def test_a_charge_that_does_not_fit_changes_nothing() -> None:
    """It is refused, and what was charged before stays."""
    memory = PhysicalMemory(8 << 20)
    charge = memory.charge(100)
    free = memory.free_pages
    with pytest.raises(OutOfMemoryError):
        charge.resize(1 << 30)
    assert charge.size == 100
    charge.resize(200)
    assert memory.free_pages >= free - 1


def test_the_kernel_leaves_pages_to_programs() -> None:
    """What it keeps ends before the memory does."""
    memory = PhysicalMemory(4 << 20)
    pages = SharedPages(memory)
    with pytest.raises(OutOfMemoryError):
        pages.write(0, bytes(8 << 20))
    assert memory.free_pages > 10
    assert memory.allocate() not in pages.pages.values()
