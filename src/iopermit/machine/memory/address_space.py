"""The address space of a process: areas, and pages that are provided when they are touched."""

from __future__ import annotations

import bisect
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from iopermit.machine.memory.areas import (
    LOWEST_ADDRESS,
    PROT_EXEC,
    PROT_WRITE,
    Area,
    BadAddressError,
)
from iopermit.machine.memory.paging import FETCH_FAULT, WRITE_FAULT, PageTables
from iopermit.machine.memory.physical import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.machine.memory.physical import PhysicalMemory

_STACK_LIMIT: Final = 8 << 20
"""RLIMIT_STACK in bytes."""


class AddressSpace:
    """Areas, pages and page tables. Sizes and addresses of areas are multiples of a page."""

    def __init__(self, memory: PhysicalMemory, top: int, invalidate: Callable[[], None]) -> None:
        """Make an empty address space.

        Args:
            memory: provides pages.
            top: the first address that user code cannot have.
            invalidate: makes the CPU forget translations, after rights were taken away.

        Raises:
            OutOfMemoryError: no memory for the page tables.
        """
        self.memory, self.top = memory, top
        self.tables = PageTables(memory)
        self.areas: list[Area] = []
        self.break_start = self.break_end = 0
        self._invalidate = invalidate
        self._pages: dict[int, int] = {}
        self.users = 1
        """Tasks that share the address space."""

    # Areas.

    def find(self, address: int) -> Area | None:
        """Return the area that has an address."""
        index = bisect.bisect_right(self.areas, address, key=lambda area: area.start) - 1
        if index < 0 or address >= self.areas[index].end:
            return None
        return self.areas[index]

    def overlapping(self, start: int, end: int) -> Iterator[Area]:
        """Yield the areas that have an address from `start` up to before `end`."""
        return (area for area in self.areas if area.start < end and area.end > start)

    def gap(self, size: int, below: int) -> int | None:
        """Return the highest start of a free row of `size` bytes that ends at or before `below`."""
        end = below
        for area in reversed(self.areas):
            if area.start >= end:
                continue
            if area.end <= end - size:
                break
            end = min(end, area.start)
        return end - size if end - size >= LOWEST_ADDRESS else None

    def add(self, area: Area) -> None:
        """Put an area in place of whatever is there; it is joined with equal neighbours."""
        self.remove(area.start, area.end)
        index = bisect.bisect_right(self.areas, area.start, key=lambda other: other.start)
        if index < len(self.areas) and area.joins(self.areas[index]):
            area = replace(area, end=self.areas.pop(index).end)
        if index and self.areas[index - 1].joins(area):
            index -= 1
            area = replace(area, start=self.areas.pop(index).start)
        self.areas.insert(index, area)

    def remove(self, start: int, end: int) -> None:
        """Take everything from `start` up to before `end` away."""
        kept = []
        for area in self.areas:
            if area.end <= start or area.start >= end:
                kept.append(area)
                continue
            if area.start < start:
                kept.append(area.part(area.start, start))
            if area.end > end:
                kept.append(area.part(end, area.end))
        self.areas = kept
        self._drop_pages(start, end)

    def protect(self, start: int, end: int, protection: int) -> None:
        """Change the rights from `start` up to before `end`."""
        changed: list[Area] = []
        for area in self.areas:
            low, high = max(area.start, start), min(area.end, end)
            if low >= high:
                changed.append(area)
                continue
            if area.start < low:
                changed.append(area.part(area.start, low))
            changed.append(replace(area.part(low, high), protection=protection))
            if area.end > high:
                changed.append(area.part(high, area.end))
        self.areas = changed
        for virtual in self._pages_between(start, end):
            self._map(virtual, self._pages[virtual], self.find(virtual * PAGE))
        self._invalidate()

    def move(self, start: int, end: int, target: int) -> None:
        """Move the pages and areas of a range to another place (mremap)."""
        delta = (target - start) // PAGE
        moved = [
            area.part(max(area.start, start), min(area.end, end))
            for area in self.overlapping(start, end)
        ]
        pages = {v: self._pages.pop(v) for v in self._pages_between(start, end)}
        for virtual in pages:
            self.tables.unmap(virtual)
        self.remove(start, end)
        for area in moved:
            shift = target - start
            self.add(replace(area, start=area.start + shift, end=area.end + shift))
        for virtual, page in pages.items():
            self._pages[virtual + delta] = page
            self._map(virtual + delta, page, self.find((virtual + delta) * PAGE))

    def forget(self, start: int, end: int) -> None:
        """Let pages have their first contents again (MADV_DONTNEED)."""
        self._drop_pages(start, end)

    # Pages.

    def resolve(self, address: int, error: int) -> None:
        """Provide the page that a page fault needs.

        Args:
            address: where the fault was.
            error: the error code of the fault.

        Raises:
            BadAddressError: the program has no right to do that.
            OutOfMemoryError: there is no memory.
        """
        area = self.find(address)
        if area is None:
            area = self._grow_stack(address)
        needed = PROT_WRITE if error & WRITE_FAULT else PROT_EXEC if error & FETCH_FAULT else 0
        if area is None or not area.protection or needed & ~area.protection:
            raise BadAddressError(address, mapped=area is not None)
        virtual = address // PAGE
        page = self._pages.get(virtual)
        if page is None:
            page = self._provide(area, virtual)
        if error & WRITE_FAULT and area.shared is None and self.memory.shared(page):
            copied = self.memory.allocate(clear=False)
            self.memory.page(copied)[:] = self.memory.page(page)
            self.memory.release(page)
            page = copied
            self._invalidate()
        self._pages[virtual] = page
        self._map(virtual, page, area)

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of user memory. Raises BadAddressError."""
        parts = [bytes(part) for part in self._parts(address, size, 0)]
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Write bytes to user memory. Raises BadAddressError."""
        done = 0
        for part in self._parts(address, len(data), WRITE_FAULT):
            part[:] = data[done : done + len(part)]
            done += len(part)

    def check(self, address: int, size: int, *, write: bool = True) -> None:
        """Make sure that user memory can be accessed later. Raises BadAddressError."""
        for _ in self._parts(address, size, WRITE_FAULT if write else 0):
            pass

    @property
    def resident(self) -> int:
        """How many pages are there."""
        return len(self._pages)

    def read_string(self, address: int, limit: int = 4096) -> bytes:
        """Return a string without its final zero. Raises BadAddressError."""
        result = b""
        while len(result) < limit:
            room = PAGE - (address + len(result)) % PAGE
            chunk = self.read(address + len(result), room)
            head, zero, _ = chunk.partition(b"\0")
            result += head
            if zero:
                return result
        return result[:limit]

    def fork(self) -> AddressSpace:
        """Return a copy that shares pages until they are written. Raises OutOfMemoryError."""
        child = AddressSpace(self.memory, self.top, self._invalidate)
        child.areas = list(self.areas)
        child.break_start, child.break_end = self.break_start, self.break_end
        for virtual, page in self._pages.items():
            area = self.find(virtual * PAGE)
            self.memory.share(page)
            child._pages[virtual] = page
            child._map(virtual, page, area)
            self._map(virtual, page, area)
        self._invalidate()
        return child

    def release(self) -> None:
        """Give all memory back."""
        for page in self._pages.values():
            self.memory.release(page)
        self._pages.clear()
        self.areas.clear()
        self.tables.release()
        self._invalidate()

    def _parts(self, address: int, size: int, error: int) -> Iterator[memoryview]:
        """Yield user memory page by page."""
        end = address + size
        while address < end:
            if not 0 <= address < self.top:
                raise BadAddressError(address, mapped=False)
            virtual, start = divmod(address, PAGE)
            page = self._pages.get(virtual)
            area = self.find(address)
            writes = error & WRITE_FAULT
            if (
                page is None
                or area is None
                or not area.protection
                or (
                    writes
                    and (
                        not area.protection & PROT_WRITE
                        or (area.shared is None and self.memory.shared(page))
                    )
                )
            ):
                self.resolve(address, error)
                page = self._pages[virtual]
            if writes:
                self.memory.note_write(page)
            stop = min(PAGE, start + end - address)
            yield self.memory.page(page)[start:stop]
            address += stop - start

    def _provide(self, area: Area, virtual: int) -> int:
        """Return a page with what the area has there."""
        offset = virtual * PAGE - area.start + area.offset
        if area.shared is not None:
            return area.shared.page(offset // PAGE)
        if area.copied is not None and offset // PAGE in area.copied.pages:
            return area.copied.page(offset // PAGE)
        if area.file is None or offset >= area.file_end:
            return self.memory.allocate()
        key = (*area.file.identity, offset, min(area.file_end - offset, PAGE))
        cached = self.memory.page_cache.get(key)
        if cached is None:
            cached = self.memory.allocate()
            data = area.file.read(offset)[: area.file_end - offset]
            self.memory.page(cached)[: len(data)] = data
            self.memory.page_cache[key] = cached
        self.memory.share(cached)
        return cached

    def _map(self, virtual: int, page: int, area: Area | None) -> None:
        if area is None or not area.protection:
            self.tables.unmap(virtual)
            return
        own = area.shared is not None or not self.memory.shared(page)
        executable = bool(area.protection & PROT_EXEC)
        if executable:
            self.memory.mark_code(page)
        writable = bool(area.protection & PROT_WRITE) and own
        self.tables.map(virtual, page, writable=writable, executable=executable)

    def _grow_stack(self, address: int) -> Area | None:
        """Extend the stack down to an address, if it is the stack that comes next."""
        index = bisect.bisect_right(self.areas, address, key=lambda area: area.start)
        if index >= len(self.areas) or not self.areas[index].grows_down:
            return None
        stack = self.areas[index]
        start = address // PAGE * PAGE
        if stack.end - start > _STACK_LIMIT or (index and self.areas[index - 1].end > start):
            return None
        self.areas[index] = replace(stack, start=start)
        return self.areas[index]

    def _pages_between(self, start: int, end: int) -> list[int]:
        first, last = start // PAGE, -(-end // PAGE)
        if last - first < len(self._pages):
            return [v for v in range(first, last) if v in self._pages]
        return [v for v in self._pages if first <= v < last]

    def _drop_pages(self, start: int, end: int) -> None:
        dropped = self._pages_between(start, end)
        for virtual in dropped:
            self.memory.release(self._pages.pop(virtual))
            self.tables.unmap(virtual)
        if dropped:
            self._invalidate()
