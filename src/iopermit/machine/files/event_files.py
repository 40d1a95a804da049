"""Files that tell of events: eventfd(2), timerfd_create(2), epoll(7), and pairs of sockets."""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.file_status import FileStatus
from iopermit.machine.files.open_files import O_NONBLOCK, OpenFile
from iopermit.machine.files.pipes import Pipe, PipeReader, PipeWriter
from iopermit.machine.memory.physical import OutOfMemoryError

if TYPE_CHECKING:
    from iopermit.machine.clock import Clock
    from iopermit.machine.memory.physical import Charge, PhysicalMemory

_LARGEST: Final = (1 << 64) - 2
"""What an eventfd can count to."""
_WATCH_SIZE: Final = 256
"""Bytes that a file in an epoll set counts."""
EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP = 1, 4, 8, 0x10, 0x2000
EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE = 1 << 31, 1 << 30, 1 << 28


def readiness(file: OpenFile) -> int:
    """Return what is true of a file, as bits of poll(2), which are those of epoll(7) too."""
    events = 0
    if file.can_read() and file.readable():
        events |= EPOLLIN
    if file.can_write() and file.writable():
        events |= EPOLLOUT
    if file.hung_up():
        events |= EPOLLHUP if file.can_read() else EPOLLERR
        if isinstance(file, PipeReader) and not file.pipe.size:
            events &= ~EPOLLIN
    return events


@dataclass(eq=False)
class EventCounter(OpenFile):
    """eventfd(2): a counter that is read and added to."""

    value: int = 0
    semaphore: bool = False

    def read(self, size: int) -> bytes:
        """Take the count, or one of it."""
        if size < 8:
            raise KernelError(errno.EINVAL)
        if not self.value:
            if self.flags & O_NONBLOCK:
                raise KernelError(errno.EAGAIN)
            raise Blocked(self.readable)
        taken = 1 if self.semaphore else self.value
        self.value -= taken
        return taken.to_bytes(8, "little")

    def write(self, data: bytes) -> int:
        """Add to the count."""
        added = int.from_bytes(data[:8], "little")
        if len(data) < 8 or added > _LARGEST:
            raise KernelError(errno.EINVAL)
        if self.value + added > _LARGEST:
            if self.flags & O_NONBLOCK:
                raise KernelError(errno.EAGAIN)
            raise Blocked(lambda: self.value + added <= _LARGEST)
        self.value += added
        # All of it, so that nobody writes the rest again.
        return len(data)

    def readable(self) -> bool:
        """Return whether there is a count."""
        return self.value > 0

    def writable(self) -> bool:
        """Return whether one can be added."""
        return self.value < _LARGEST

    def status(self) -> FileStatus:
        """Return the status of a file without a type, as anonymous inodes have it."""
        return FileStatus(0o600)


@dataclass(eq=False)
class TimerFile(OpenFile):
    """timerfd_create(2): counts how often a time was over; virtual time in nanoseconds."""

    clock: Clock = field(kw_only=True)
    realtime: bool = False
    due: int | None = None
    interval: int = 0

    def expirations(self) -> int:
        """Return how often the time was over since the last read."""
        if self.due is None or self.due > self.clock.monotonic:
            return 0
        if not self.interval:
            return 1
        return 1 + (self.clock.monotonic - self.due) // self.interval

    def read(self, size: int) -> bytes:
        """Take the number of expirations."""
        if size < 8:
            raise KernelError(errno.EINVAL)
        count = self.expirations()
        if not count:
            if self.flags & O_NONBLOCK:
                raise KernelError(errno.EAGAIN)
            raise Blocked(self.readable, deadline=self.due)
        assert self.due is not None
        self.due = self.due + count * self.interval if self.interval else None
        return count.to_bytes(8, "little")

    def readable(self) -> bool:
        """Return whether the time was over."""
        return self.expirations() > 0

    def ready_at(self) -> int | None:
        """Return when the time is over."""
        return self.due

    def status(self) -> FileStatus:
        """Return the status of a file without a type."""
        return FileStatus(0o600)


@dataclass(eq=False)
class Watch:
    """A file in an epoll set."""

    file: OpenFile
    events: int
    data: int
    told: int = 0
    """What was told already, with EPOLLET: only EPOLLOUT, which would be told for ever."""
    missed: int = 0
    """`OpenFile.missed` at that time: EPOLLET tells again after the program had to wait."""


@dataclass(eq=False)
class EventPoll(OpenFile):
    """epoll(7): a set of files, and what is to be told about them."""

    charge: Charge = field(kw_only=True)
    watches: dict[int, Watch] = field(default_factory=dict)
    """By descriptor."""

    def watch(self, descriptor: int, watch: Watch) -> None:
        """Add a file. Raises KernelError (ENOSPC)."""
        try:
            self.charge.resize(_WATCH_SIZE * (len(self.watches) + 1))
        except OutOfMemoryError as error:
            raise KernelError(errno.ENOSPC) from error
        self.watches[descriptor] = watch

    def ready(self, most: int = 1 << 30, *, take: bool = False) -> list[tuple[int, int]]:
        """Return the events and the data of files about which there is something to tell.

        Args:
            most: of so many files.
            take: whether this is the telling, after which EPOLLET and EPOLLONESHOT are silent.
        """
        found: list[tuple[int, int]] = []
        for descriptor, watch in list(self.watches.items()):
            if not watch.file.users:
                # It was closed everywhere: the set forgets it.
                del self.watches[descriptor]
                continue
            events = readiness(watch.file) & (watch.events | EPOLLERR | EPOLLHUP)
            watch.told &= events
            if not watch.events & EPOLLET or watch.missed != watch.file.missed:
                watch.told = 0
            if not events & ~watch.told or len(found) >= most:
                continue
            found.append((events, watch.data))
            if take:
                watch.told, watch.missed = events & EPOLLOUT, watch.file.missed
                if watch.events & EPOLLONESHOT:
                    watch.events = 0
        return found

    def readable(self) -> bool:
        """Return whether there is something to tell."""
        return bool(self.ready(1))

    def on_host(self) -> bool:
        """Return whether the host can make a file in the set ready."""
        return any(watch.file.on_host() for watch in self.watches.values())

    def ready_at(self) -> int | None:
        """Return when the first timer of the set is due."""
        moments = (watch.file.ready_at() for watch in self.watches.values())
        return min((moment for moment in moments if moment is not None), default=None)

    def status(self) -> FileStatus:
        """Return the status of a file without a type."""
        return FileStatus(0o600)


@dataclass(eq=False)
class SocketEnd(OpenFile):
    """One end of socketpair(2): a pipe in each direction."""

    reader: PipeReader = field(kw_only=True)
    writer: PipeWriter = field(kw_only=True)

    def read(self, size: int) -> bytes:
        """Read what the other end wrote."""
        self.reader.flags = self.flags
        return self.reader.read(size)

    def write(self, data: bytes) -> int:
        """Write to the other end."""
        self.writer.flags = self.flags
        return self.writer.write(data)

    def readable(self) -> bool:
        """Return whether there is data or an end."""
        return self.reader.readable()

    def writable(self) -> bool:
        """Return whether a small write fits."""
        return self.writer.writable()

    def hung_up(self) -> bool:
        """Return whether the other end is closed."""
        return self.reader.hung_up() and self.writer.hung_up()

    def status(self) -> FileStatus:
        """Return the status of a socket."""
        return FileStatus(stat.S_IFSOCK | 0o777)

    def shut_down(self, *, reading: bool, writing: bool) -> None:
        """End one or both directions (shutdown(2))."""
        if reading:
            self.reader.pipe.readers = 0
        if writing:
            self.writer.pipe.writers = 0

    def close(self) -> None:
        """Close both directions."""
        self.reader.pipe.readers = max(self.reader.pipe.readers - 1, 0)
        self.writer.pipe.writers = max(self.writer.pipe.writers - 1, 0)


def socket_pair(memory: PhysicalMemory, flags: int) -> tuple[SocketEnd, SocketEnd]:
    """Return two ends that are connected. Raises OutOfMemoryError."""
    first, second = Pipe(memory), Pipe(memory)
    mode = 2 | flags
    return (
        SocketEnd("socket:", mode, reader=PipeReader(pipe=first), writer=PipeWriter(pipe=second)),
        SocketEnd("socket:", mode, reader=PipeReader(pipe=second), writer=PipeWriter(pipe=first)),
    )
