"""Physical memory, page tables and address spaces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from iopermit.machine.file_status import FileStatus
from iopermit.machine.memory.address_space import AddressSpace
from iopermit.machine.memory.areas import (
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    Area,
    BadAddressError,
    HostPages,
    SharedPages,
)
from iopermit.machine.memory.paging import (
    FETCH_FAULT,
    KERNEL_BASE,
    WRITE_FAULT,
    PageTables,
    translate,
)
from iopermit.machine.memory.physical import PAGE, OutOfMemoryError, PhysicalMemory

if TYPE_CHECKING:
    from pathlib import Path

TOP = 0x7FFF_FFFF_F000
BASE = 0x40_0000
RW = PROT_READ | PROT_WRITE


@pytest.fixture
def memory() -> PhysicalMemory:
    """Give a small physical memory."""
    return PhysicalMemory(4 << 20)


@pytest.fixture
def space(memory: PhysicalMemory) -> AddressSpace:
    """Give an empty address space."""
    return AddressSpace(memory, TOP, lambda: None)


def test_pages_are_handed_out_until_none_is_left(memory: PhysicalMemory) -> None:
    """Every page is another one and zero; then there is an error; a freed page comes again."""
    pages = [memory.allocate() for _ in range(memory.free_pages)]
    assert len(set(pages)) == len(pages) == 512
    with pytest.raises(OutOfMemoryError):
        memory.allocate()
    memory.page(pages[3])[:] = b"x" * PAGE
    memory.release(pages[3])
    assert memory.allocate() == pages[3]
    assert bytes(memory.page(pages[3])) == bytes(PAGE)


def test_a_shared_page_is_free_when_its_last_user_left(memory: PhysicalMemory) -> None:
    """Each user counts."""
    page, free = memory.allocate(), memory.free_pages
    memory.share(page)
    assert memory.shared(page)
    memory.release(page)
    assert memory.free_pages == free
    memory.release(page)
    assert memory.free_pages == free + 1


def test_code_is_stale_when_its_page_is_freed_or_written(memory: PhysicalMemory) -> None:
    """The back end is told to translate again; other pages do not matter."""
    code, data = memory.allocate(), memory.allocate()
    memory.mark_code(code)
    memory.note_write(data)
    memory.release(data)
    assert not memory.stale_code
    memory.note_write(code)
    written = memory.stale_code
    memory.stale_code = False
    memory.release(code)
    assert (written, memory.stale_code) == (True, True)


def test_page_tables(memory: PhysicalMemory) -> None:
    """A mapped page is reached with its rights only; the kernel never is by user code."""
    tables = PageTables(memory)
    page = memory.allocate()
    tables.map(BASE // PAGE, page, writable=False, executable=False)
    find = memory, tables.root
    assert translate(*find, BASE + 5) == page * PAGE + 5
    assert translate(*find, BASE, write=True) is None
    assert translate(*find, BASE, fetch=True) is None
    assert translate(*find, BASE + PAGE) is None
    assert translate(*find, KERNEL_BASE) is None
    tables.map(BASE // PAGE, page, writable=True, executable=True)
    assert translate(*find, BASE, write=True) == page * PAGE
    assert translate(*find, BASE, fetch=True) == page * PAGE
    tables.unmap(BASE // PAGE)
    assert translate(*find, BASE) is None
    tables.unmap(0x7000_0000)


def test_page_tables_give_their_memory_back(memory: PhysicalMemory) -> None:
    """Nothing is lost."""
    free = memory.free_pages
    tables = PageTables(memory)
    for address in (BASE, 0x7FFF_0000_0000, 0x5555_5555_4000):
        tables.map(address // PAGE, 600, writable=True, executable=True)
    assert memory.free_pages < free
    tables.release()
    assert memory.free_pages == free


def test_memory_is_read_and_written_across_pages(space: AddressSpace) -> None:
    """Fresh memory is zero, keeps what is written, and ends where its area ends."""
    space.add(Area(BASE, BASE + 2 * PAGE, RW))
    assert space.read(BASE + PAGE - 3, 6) == bytes(6)
    space.write(BASE + PAGE - 3, b"abcdef")
    assert space.read(BASE + PAGE - 4, 8) == b"\0abcdef\0"
    assert space.read_string(BASE + PAGE - 3) == b"abcdef"
    for address in (BASE - 1, BASE + 2 * PAGE - 2, TOP - 2, 1 << 63):
        with pytest.raises(BadAddressError):
            space.read(address, 4)


@pytest.mark.parametrize(
    ("protection", "error", "mapped"),
    [
        (PROT_READ, WRITE_FAULT, True),
        (RW, FETCH_FAULT, True),
        (0, 0, True),
        (None, 0, False),
    ],
)
def test_rights(space: AddressSpace, protection: int | None, error: int, mapped: bool) -> None:
    """What an area does not allow is a bad address; the difference to no area is told."""
    if protection is not None:
        space.add(Area(BASE, BASE + PAGE, protection))
    with pytest.raises(BadAddressError) as raised:
        space.resolve(BASE, error)
    assert raised.value.mapped == mapped


def test_fork_copies_on_write(space: AddressSpace) -> None:
    """Parent and child have the same contents, and neither sees what the other writes later."""
    space.add(Area(BASE, BASE + PAGE, RW))
    space.write(BASE, b"before")
    child = space.fork()
    assert translate(space.memory, space.tables.root, BASE, write=True) is None
    space.write(BASE, b"parent")
    assert child.read(BASE, 6) == b"before"
    child.resolve(BASE, WRITE_FAULT)
    child.write(BASE, b"child!")
    assert (space.read(BASE, 6), child.read(BASE, 6)) == (b"parent", b"child!")


def test_shared_pages_stay_shared(space: AddressSpace) -> None:
    """MAP_SHARED memory is the same after fork, also where no page was touched before."""
    shared = SharedPages(space.memory)
    space.add(Area(BASE, BASE + 2 * PAGE, RW, shared=shared))
    space.write(BASE, b"one")
    child = space.fork()
    child.write(BASE + PAGE, b"two")
    space.write(BASE, b"new")
    assert child.read(BASE, 3) == b"new"
    assert space.read(BASE + PAGE, 3) == b"two"


def test_nothing_is_lost(memory: PhysicalMemory) -> None:
    """After fork, writes and release every page is free again."""
    free = memory.free_pages
    space = AddressSpace(memory, TOP, lambda: None)
    space.add(Area(BASE, BASE + 8 * PAGE, RW))
    space.write(BASE, bytes(8 * PAGE))
    child = space.fork()
    child.write(BASE, b"x")
    child.remove(BASE + PAGE, BASE + 2 * PAGE)
    space.release()
    child.release()
    assert memory.free_pages == free


def test_areas_are_split_and_joined(space: AddressSpace) -> None:
    """Removing the middle leaves two parts; putting it back makes one again."""
    space.add(Area(BASE, BASE + 3 * PAGE, RW))
    space.write(BASE, b"kept")
    space.write(BASE + PAGE, b"lost")
    space.remove(BASE + PAGE, BASE + 2 * PAGE)
    assert [(a.start, a.end) for a in space.areas] == [
        (BASE, BASE + PAGE),
        (BASE + 2 * PAGE, BASE + 3 * PAGE),
    ]
    with pytest.raises(BadAddressError):
        space.read(BASE + PAGE, 1)
    space.add(Area(BASE + PAGE, BASE + 2 * PAGE, RW))
    assert [(a.start, a.end) for a in space.areas] == [(BASE, BASE + 3 * PAGE)]
    assert space.read(BASE, 4) == b"kept"
    assert space.read(BASE + PAGE, 4) == bytes(4)


def test_protect_changes_a_part(space: AddressSpace) -> None:
    """The rest keeps its rights, and the page tables follow."""
    space.add(Area(BASE, BASE + 3 * PAGE, RW))
    space.write(BASE, bytes(3 * PAGE))
    space.protect(BASE + PAGE, BASE + 2 * PAGE, PROT_READ)
    assert [a.protection for a in space.areas] == [RW, PROT_READ, RW]
    find = space.memory, space.tables.root
    assert translate(*find, BASE + PAGE, write=True) is None
    assert translate(*find, BASE + PAGE) is not None
    assert translate(*find, BASE, write=True) is not None


def test_gap_is_below_everything_that_is_in_the_way(space: AddressSpace) -> None:
    """The highest free place is found, and none if there is none."""
    limit = 0x10_0000_0000
    space.add(Area(limit - 2 * PAGE, limit, RW))
    space.add(Area(limit - 5 * PAGE, limit - 4 * PAGE, RW))
    assert space.gap(2 * PAGE, limit) == limit - 4 * PAGE
    assert space.gap(3 * PAGE, limit) == limit - 8 * PAGE
    assert space.gap(limit, limit) is None


def test_the_stack_grows(space: AddressSpace) -> None:
    """A fault below the stack extends it, down to its limit of 8 MiB."""
    space.add(Area(TOP - PAGE, TOP, RW, grows_down=True))
    space.write(TOP - 100 * PAGE, b"deep")
    assert space.find(TOP - 50 * PAGE) is not None
    with pytest.raises(BadAddressError):
        space.write(TOP - (9 << 20), b"too deep")


def test_files_are_mapped_with_zeros_behind(space: AddressSpace, tmp_path: Path) -> None:
    """A private mapping has the file's bytes, then zeros, and never changes the file."""
    file = tmp_path / "file"
    file.write_bytes(b"a" * PAGE + b"b" * 100)
    pages = HostPages(os.open(file, os.O_RDONLY), FileStatus.of(file.stat()))
    space.add(Area(BASE, BASE + 3 * PAGE, RW, pages, 0, 2 * PAGE))
    assert space.read(BASE + PAGE - 1, 2) == b"ab"
    assert space.read(BASE + PAGE + 99, 3) == b"b\0\0"
    assert space.read(BASE + 2 * PAGE, 2) == b"\0\0"
    space.write(BASE, b"changed")
    assert space.read(BASE, 7) == b"changed"
    assert file.read_bytes()[:7] == b"aaaaaaa"
    other = space.fork()
    other.add(Area(BASE, BASE + PAGE, PROT_READ | PROT_EXEC, pages, 0, PAGE))
    assert other.read(BASE, 7) == b"aaaaaaa"


def test_cached_file_pages_make_room(tmp_path: Path) -> None:
    """Pages of files that nobody maps any more are given up when memory is short."""
    memory = PhysicalMemory(3 << 20)
    space = AddressSpace(memory, TOP, lambda: None)
    file = tmp_path / "file"
    file.write_bytes(bytes(200 * PAGE))
    pages = HostPages(os.open(file, os.O_RDONLY), FileStatus.of(file.stat()))
    space.add(Area(BASE, BASE + 200 * PAGE, PROT_READ, pages, 0, 200 * PAGE))
    space.read(BASE, 200 * PAGE)
    space.remove(BASE, BASE + 200 * PAGE)
    assert memory.free_pages < 100
    taken = [memory.allocate() for _ in range(200)]
    assert len(set(taken)) == 200
