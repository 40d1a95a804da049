"""Memory: brk, mmap and what changes mappings."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.files.host_files import HostFile
from iopermit.machine.files.memory_tree import MemoryHandle
from iopermit.machine.files.special_files import Zero
from iopermit.machine.memory.areas import (
    LOWEST_ADDRESS,
    PROT_READ,
    PROT_WRITE,
    Area,
    HostPages,
    SharedPages,
)
from iopermit.machine.memory.physical import PAGE
from iopermit.machine.program.elf import mmap_base
from iopermit.machine.syscalls.registry import SystemCall, call

if TYPE_CHECKING:
    from iopermit.machine.memory.address_space import AddressSpace

MAP_SHARED, MAP_PRIVATE, MAP_TYPE, MAP_FIXED, MAP_ANONYMOUS = 1, 2, 0xF, 0x10, 0x20
MAP_32BIT, MAP_NORESERVE, MAP_FIXED_NOREPLACE = 0x40, 0x4000, 0x10_0000
_LOW_2_GIB: Final = 0x8000_0000
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
_MOST: Final = 1 << 30
"""Bytes of one mapping; more could never be provided."""
_MOST_AREAS: Final = 65530
"""vm.max_map_count."""
_PROTECTIONS: Final = 7


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


@call("brk", 12, 45, "address")
def brk(call: SystemCall, address: int) -> int:
    """Move the end of the heap; return where it is."""
    space = call.space
    low, old, new = space.break_start, _pages(space.break_end), _pages(address)
    if address < low or new - low > _MOST:
        return space.break_end
    if new > old:
        if any(space.overlapping(old, new)):
            return space.break_end
        space.add(Area(old, new, PROT_READ | PROT_WRITE, name="[heap]"))
    elif new < old:
        space.remove(new, old)
    space.break_end = address
    return address


@call("mmap", 9, None, "address length protection flags fd offset", "files are mapped as they are")
def mmap(
    call: SystemCall, address: int, length: int, protection: int, flags: int, fd: int, offset: int
) -> int:
    """Map a file or fresh memory."""
    if offset % PAGE:
        return -errno.EINVAL
    return _map(call, address, length, protection, flags, (fd, offset))


@call("mmap2", None, 192, "address length protection flags fd offset")
def mmap2(
    call: SystemCall, address: int, length: int, protection: int, flags: int, fd: int, offset: int
) -> int:
    """Map a file or fresh memory; the offset is in pages."""
    return _map(call, address, length, protection, flags, (fd, offset * PAGE))


@call("mmap", None, 90, "arguments")
def old_mmap(call: SystemCall, arguments: int) -> int:
    """Map memory; the arguments are in a structure."""
    address, length, protection, flags, fd, offset = call.read_words(arguments, 6)
    return _map(call, address, length, protection, flags, (fd, offset))


def _map(
    call: SystemCall,
    address: int,
    length: int,
    protection: int,
    flags: int,
    source: tuple[int, int],
) -> int:
    space, size = call.space, _pages(length)
    if not length or protection & ~_PROTECTIONS or not flags & (MAP_SHARED | MAP_PRIVATE):
        return -errno.EINVAL
    reserved = protection & PROT_WRITE and not flags & MAP_NORESERVE
    if size > (space.memory.size if reserved else space.top):
        return -errno.ENOMEM
    if len(space.areas) >= _MOST_AREAS:
        return -errno.ENOMEM
    start = _place(call, address, size, flags)
    area = Area(start, start + size, protection)
    if flags & MAP_ANONYMOUS:
        if flags & MAP_TYPE != MAP_PRIVATE:
            area = Area(start, start + size, protection, shared=SharedPages(space.memory))
    else:
        area = _file_area(call, area, flags, source)
    space.add(area)
    return start


def _place(call: SystemCall, address: int, size: int, flags: int) -> int:
    """Return where a mapping goes. Raises KernelError."""
    space = call.space
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
        if address % PAGE:
            raise KernelError(errno.EINVAL)
        if address < LOWEST_ADDRESS and not call.task.credentials.raw_io:
            raise KernelError(errno.EPERM)
        if address + size > space.top:
            raise KernelError(errno.ENOMEM)
        if flags & MAP_FIXED_NOREPLACE and any(space.overlapping(address, address + size)):
            raise KernelError(errno.EEXIST)
        return address
    hint = address // PAGE * PAGE
    fits = hint >= LOWEST_ADDRESS and hint + size <= space.top
    if fits and not any(space.overlapping(hint, hint + size)):
        return hint
    return _gap(space, size, _LOW_2_GIB if flags & MAP_32BIT else mmap_base(call.task.bits))


def _gap(space: AddressSpace, size: int, below: int) -> int:
    start = space.gap(size, below)
    if start is None:
        raise KernelError(errno.ENOMEM)
    return start


def _file_area(call: SystemCall, area: Area, flags: int, source: tuple[int, int]) -> Area:
    """Return an area with the pages of a file."""
    fd, offset = source
    file = call.process.files.get(call.signed(fd, 32))
    if isinstance(file, Zero):
        return area
    if not file.can_read():
        raise KernelError(errno.EACCES)
    shared = flags & MAP_TYPE != MAP_PRIVATE
    if shared and area.protection & PROT_WRITE and not file.can_write():
        raise KernelError(errno.EACCES)
    if isinstance(file, MemoryHandle):
        area = replace(area, offset=offset, name=file.path)
        if shared:
            return replace(area, shared=file.file.pages, writable=file.can_write())
        return replace(area, copied=file.file.pages)
    pages = file.mapped()
    if isinstance(file, HostFile):
        pages = HostPages(os.dup(file.descriptor), file.status())
    if pages is None:
        raise KernelError(errno.ENODEV)
    if file.mapped() is not None and offset + area.end - area.start > pages.size:
        raise KernelError(errno.EPERM)
    end = _pages(pages.size)
    return replace(
        area, file=pages, offset=offset, file_end=end, name=file.path, writable=not shared
    )


@call("munmap", 11, 91, "address length")
def munmap(call: SystemCall, address: int, length: int) -> int:
    """Take mappings away."""
    if address % PAGE or not length or address + length > call.space.top:
        return -errno.EINVAL
    call.space.remove(address, address + _pages(length))
    return 0


@call("mprotect", 10, 125, "address length protection")
def mprotect(call: SystemCall, address: int, length: int, protection: int) -> int:
    """Change rights."""
    end = address + _pages(length)
    if address % PAGE or protection & ~_PROTECTIONS & ~0x0300_0000:
        return -errno.EINVAL
    at = address
    for area in call.space.overlapping(address, end):
        if area.start > at:
            break
        if protection & PROT_WRITE and not area.writable:
            return -errno.EACCES
        at = area.end
    if at < end or len(call.space.areas) >= _MOST_AREAS:
        return -errno.ENOMEM
    call.space.protect(address, end, protection & _PROTECTIONS)
    return 0


@call("mremap", 25, 163, "address length newlength flags newaddress")
def mremap(  # noqa: PLR0911 - one way out for each case
    call: SystemCall, address: int, old: int, new: int, flags: int, target: int
) -> int:
    """Make a mapping smaller or larger, or move it."""
    space, old_size, new_size = call.space, _pages(old), _pages(new)
    area = space.find(address)
    if address % PAGE or not new_size or flags & ~3:
        return -errno.EINVAL
    if area is None or address + old_size > area.end:
        return -errno.EFAULT
    if not flags & MREMAP_FIXED:
        if new_size <= old_size:
            if new_size < old_size:
                space.remove(address + new_size, address + old_size)
            return address
        grown = (address + old_size, address + new_size)
        if address + old_size == area.end and not any(space.overlapping(*grown)):
            space.add(area.part(address, address + old_size).part(*grown))
            return address
        if not flags & MREMAP_MAYMOVE:
            return -errno.ENOMEM
        target = _gap(space, new_size, mmap_base(call.task.bits))
    elif target % PAGE or target + new_size > space.top:
        return -errno.EINVAL
    space.remove(target, target + new_size)
    kept = min(old_size, new_size)
    extra = area.part(address, address + kept)
    space.move(address, address + kept, target)
    if new_size > kept:
        shifted = extra.part(address + kept, address + new_size)
        space.add(replace(shifted, start=target + kept, end=target + new_size))
    space.remove(address, address + old_size)
    return target


@call("madvise", 28, 219, "address length advice", "only MADV_DONTNEED does something")
def madvise(call: SystemCall, address: int, length: int, advice: int) -> int:
    """Forget the contents of memory for MADV_DONTNEED; otherwise do nothing."""
    if address % PAGE:
        return -errno.EINVAL
    if advice == 4:
        call.space.forget(address, address + _pages(length))
    return 0


@call("msync", 26, 144, "address length flags")
def msync(_call: SystemCall, _address: int, _length: int, _flags: int) -> int:
    """Do nothing: no file is ever changed."""
    return 0


@call("mlock", 149, 150, "address length")
def mlock(_call: SystemCall, _address: int, _length: int) -> int:
    """Do nothing: memory is never swapped out."""
    return 0


@call("munlock", 150, 151, "address length")
def munlock(_call: SystemCall, _address: int, _length: int) -> int:
    """Do nothing."""
    return 0


@call("mlockall", 151, 152, "flags")
def mlockall(_call: SystemCall, _flags: int) -> int:
    """Do nothing."""
    return 0
