"""The calls of the sequential pass: what ioperm(2), iopl(2) and tasks do, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.kernel.conformance.bench import Bench

_A, _B, _C = range(3)
_MOST: Final = 1 << 64
_THREAD: Final = 0x10F00
"""CLONE_VM, FS, FILES, SIGHAND and THREAD: what pthread_create() asks for."""
_VFORK: Final = 0x4100
"""CLONE_VM and VFORK."""
_PORTS: Final = (0, 1, 7, 8, 31, 63, 64, 65, 127, 128, 1016, 4095, 32767, 32768, 65534, 65535)
_RANGES: Final = (
    *((3, 1), (5, 10), (0, 8), (60, 8), (63, 2), (64, 64), (1, 62), (100, 3000), (4000, 64)),
    *((65472, 64), (65471, 65), (1, 65535), (0, 65536), (0, 65535), (65535, 1)),
)
_INVALID: Final = (
    *((0, 0), (5, 0), (65536, 1), (65535, 2), (0, 65537), (65472, 65), (65473, 64), (65536, 65536)),
    *((_MOST - 1, 1), (_MOST - 1, 2), (_MOST - 64, 128), (1, _MOST - 1), (1 << 63, 1 << 63)),
    *((1 << 32, 1), ((1 << 32) + 5, 1), (5, (1 << 32) + 1), (0, 1 << 32), ((1 << 32) - 1, 2)),
)
_TRUE: Final = (1, 2, 7, 256, 1 << 16, 1 << 31, _MOST - 1, (1 << 32) - 1)
_INVALID_LEVELS: Final = (4, 5, 7, 8, 255, 256, (1 << 32) - 1, _MOST - 1)
_FLAGS: Final = range(32)
"""Thread flags that may be set besides TIF_IO_BITMAP."""


def single_ports(bench: Bench) -> None:
    """Open ports one by one, then close them one by one."""
    for port in _PORTS:
        bench.ioperm(port, 1, 1)
    for port in _PORTS:
        bench.ioperm(port, 1, 0)


def ranges(bench: Bench) -> None:
    """Open ranges of every kind, and close parts of what is open."""
    for first, count in _RANGES:
        bench.ioperm(first, count, 1)
        bench.ioperm(0, 65536, 0)
    bench.ioperm(0, 65536, 1)
    for first, count in _RANGES:
        bench.ioperm(first, count, 0)
        bench.ioperm(0, 65536, 1)


def invalid_ranges(bench: Bench) -> None:
    """Ask for ranges that are empty, too long, or beyond the last port, also in 32 bits."""
    for turn_on in (1, 0):
        for first, count in _INVALID:
            bench.ioperm(first, count, turn_on)
    bench.ioperm(9, 9, 1)
    for turn_on in (1, 0):
        for first, count in _INVALID:
            bench.ioperm(first, count, turn_on)


def what_is_true(bench: Bench) -> None:
    """Ask with every kind of `turn_on`: what is not 0 as an int opens."""
    for turn_on in _TRUE:
        bench.ioperm(70, 5, turn_on)
        bench.ioperm(70, 5, 0)
    bench.ioperm(70, 5, 1)
    bench.ioperm(70, 5, 1 << 32)


def without_privilege(bench: Bench) -> None:
    """Ask without CAP_SYS_RAWIO: closing is allowed, opening and raising the level is not."""
    bench.ioperm(10, 10, 1)
    bench.iopl(3)
    bench.drop_privilege()
    bench.iopl(3)
    bench.ioperm(12, 1, 0)
    bench.ioperm(12, 1, 1)
    bench.ioperm(500, 1, 1)
    bench.ioperm(0, 0, 1)
    for level in (2, 3, 1, 2, 0, 1, 3, 4):
        bench.iopl(level)
    bench.ioperm(0, 65536, 0)
    bench.ioperm(0, 1, 1)


def never_with_privilege(bench: Bench) -> None:
    """Ask without ever having CAP_SYS_RAWIO."""
    bench.drop_privilege()
    bench.ioperm(0, 1, 1)
    bench.ioperm(0, 1, 2)
    bench.ioperm(0, 1, 0)
    for level in (0, 1, 2, 3):
        bench.iopl(level)


def locked_down(bench: Bench) -> None:
    """Ask on a kernel that is locked down, with CAP_SYS_RAWIO."""
    if not bench.has_lockdown:
        return
    bench.ioperm(0, 8, 1)
    bench.iopl(1)
    bench.ioperm(8, 8, 1, locked=True)
    bench.ioperm(0, 4, 0, locked=True)
    bench.ioperm(0, 0, 1, locked=True)
    for level in (1, 2, 3, 0, 1):
        bench.iopl(level, locked=True)


def without_memory(bench: Bench) -> None:
    """Ask when no memory can be allocated: nothing changes, and nothing is lost."""
    bench.ioperm(0, 8, 1, fails=True)
    bench.ioperm(0, 8, 0, fails=True)
    bench.ioperm(0, 8, 1)
    bench.exit(_B)
    bench.require_no_garbage()
    bench.ioperm(0, 8, 1)
    bench.fork(_A)
    bench.ioperm(4, 2, 0, fails=True)
    bench.ioperm(9, 2, 1, fails=True)
    bench.switch(_A)
    bench.ioperm(1, 1, 0, fails=True)


def levels(bench: Bench) -> None:
    """Go from every level to every other one, with and without ports of one's own."""
    for own in (0, 1):
        bench.ioperm(200, 10, own)
        for before in range(4):
            for after in range(4):
                bench.iopl(before)
                bench.iopl(after)
        bench.iopl(0)
    bench.iopl(3)
    bench.ioperm(200, 10, 0)
    bench.iopl(0)


def invalid_levels(bench: Bench) -> None:
    """Ask for levels that there are not; the argument is a 32-bit number."""
    for level in _INVALID_LEVELS:
        bench.iopl(level)
    bench.iopl(2)
    for level in _INVALID_LEVELS:
        bench.iopl(level)
    bench.iopl((1 << 32) + 3)
    bench.iopl(1 << 32)


def switches(bench: Bench) -> None:
    """Switch between tasks with other ports, other extents, a level, and nothing."""
    bench.ioperm(0, 8, 1)
    bench.switch(_B)
    bench.ioperm(30000, 100, 1)
    for task in (_C, _A, _B, _A, _C, _B, _C, _A):
        bench.switch(task)
    bench.switch(_C)
    bench.iopl(3)
    for task in (_A, _C, _B, _C, _A):
        bench.switch(task)
    bench.ioperm(0, 8, 0)
    bench.switch(_B)
    bench.switch(_A)


def vm_exits(bench: Bench) -> None:
    """Let virtual machines exit: the limit is restored before somebody needs the map."""
    bench.ioperm(0, 8, 1)
    bench.vm_exit()
    bench.switch(_B)
    bench.vm_exit()
    bench.switch(_A)
    bench.vm_exit()
    bench.ioperm(65528, 8, 1)


def forks(bench: Bench) -> None:
    """Let children inherit, change what they have, and end in either order."""
    for flags in (0, _THREAD, _VFORK):
        bench.switch(_A)
        bench.ioperm(16, 16, 1)
        _make_room(bench)
        bench.fork(_C, flags=flags)
        bench.switch(_C)
        bench.ioperm(20, 1, 0)
        bench.switch(_A)
        bench.ioperm(40, 4, 1)
        bench.switch(_C)
        bench.exit(_A)
        bench.fork(_C, flags=flags)
        bench.ioperm(16, 4, 0)
        bench.switch(_C)
        bench.exit(_A)
        bench.fork(_C, flags=flags)
        bench.switch(_C)
        bench.fork(_B, flags=flags)
        bench.exit(_B)
        bench.switch(_A)
        bench.iopl(3)
        bench.fork(_C, flags=flags)
        bench.iopl(0)
        bench.switch(_C)
        bench.switch(_B)


def last_users(bench: Bench) -> None:
    """Let every user of a shared map end: it is freed with the last one."""
    bench.ioperm(16, 16, 1)
    _make_room(bench)
    bench.fork(_C, flags=_THREAD)
    bench.exit(_C)
    bench.fork(_A)
    bench.exit(_A)
    bench.ioperm(0, 65536, 0)
    bench.require_no_garbage()


def forks_that_fail(bench: Bench) -> None:
    """Let forks fail late: the parent keeps what it has, and nothing is lost."""
    _make_room(bench)
    for flags in (0, _THREAD):
        bench.ioperm(16, 16, 1)
        bench.fork(_C, flags=flags, fails=True)
        bench.ioperm(17, 1, 0)
        bench.iopl(3)
        bench.fork(_C, flags=flags, fails=True)
        bench.iopl(0)
        bench.ioperm(0, 65536, 0)
        bench.require_no_garbage()
        bench.fork(_C, flags=flags, fails=True)


def kernel_threads(bench: Bench) -> None:
    """Let a user of the bitmap make kernel threads of both kinds, which run and end."""
    _make_room(bench)
    for kind in (1, 2):
        bench.ioperm(16, 16, 1)
        bench.fork(_C, kind=kind)
        bench.switch(_B)
        bench.switch(_A)
        bench.end_kernel_thread(_C, _A)
        bench.iopl(3)
        bench.fork(_C, kind=kind)
        bench.end_kernel_thread(_C, _A)
        bench.iopl(0)
        bench.ioperm(0, 65536, 0)
        bench.require_no_garbage()


def kernel_threads_that_fail(bench: Bench) -> None:
    """Let making kernel threads of both kinds fail late: the parent keeps what it has."""
    _make_room(bench)
    for kind in (1, 2):
        bench.ioperm(16, 16, 1)
        bench.iopl(3)
        bench.fork(_C, kind=kind, fails=True)
        bench.iopl(0)
        bench.ioperm(0, 65536, 0)
        bench.require_no_garbage()


def programs(bench: Bench) -> None:
    """Execute other programs: permissions stay."""
    bench.ioperm(16, 16, 1)
    bench.exec()
    bench.ioperm(18, 1, 0)
    bench.switch(_B)
    bench.exec()


def other_flags(bench: Bench) -> None:
    """Switch and call with another thread flag set on every task, one flag after the other."""
    bench.ioperm(0, 8, 1)
    for bit in _FLAGS:
        if bench.is_own_flag(bit):
            continue
        bench.set_flag(bit, on=True)
        bench.switch(_B)
        bench.switch(_A)
        bench.ioperm(100, 1, 1)
        bench.ioperm(100, 1, 0)
        bench.ioperm(0, 8, 0)
        bench.ioperm(0, 8, 1)
        bench.set_flag(bit, on=False)
        bench.switch(_B)
        bench.switch(_A)


def _make_room(bench: Bench) -> None:
    """Let the third task end, so that there is a slot for a child."""
    bench.switch(_C)
    bench.exit(_A)


SCRIPTS: Final[Mapping[Callable[[Bench], None], frozenset[Event]]] = {
    single_ports: frozenset(),
    ranges: frozenset(),
    invalid_ranges: frozenset(),
    what_is_true: frozenset(),
    without_privilege: frozenset(),
    never_with_privilege: frozenset(),
    locked_down: frozenset(),
    without_memory: frozenset({Event.ALLOCATION_FAILS}),
    levels: frozenset(),
    invalid_levels: frozenset(),
    switches: frozenset(),
    vm_exits: frozenset({Event.VM_EXIT}),
    forks: frozenset(),
    last_users: frozenset(),
    forks_that_fail: frozenset({Event.FORK_FAILS}),
    kernel_threads: frozenset({Event.IO_THREAD}),
    kernel_threads_that_fail: frozenset({Event.IO_THREAD, Event.FORK_FAILS}),
    programs: frozenset(),
    other_flags: frozenset(),
}
"""Each starts on a machine of its own, on which task A runs; with the events without which it is
nothing that was asked for."""
