"""/proc of the machine itself: its processes, its memory, its processors, its ports."""

from __future__ import annotations

import errno
import functools
import gzip
import os
import stat
from typing import TYPE_CHECKING, Final

from iopermit.machine.clock import EPOCH, SECOND
from iopermit.machine.errors import KernelError
from iopermit.machine.file_status import Entry, FileStatus
from iopermit.machine.files.nodes import DirectoryNode, FileNode, LinkNode, Node, Viewer
from iopermit.machine.files.special_files import (
    DEVICE,
    FixedDirectory,
    FixedLink,
    TextNode,
    entries_of,
)
from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.memory.physical import PAGE
from iopermit.machine.tasks.process import UserTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.machine.files.open_files import OpenFile
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserProcess

_INODE: Final = 0x1_0000
_LONGEST_ARGUMENTS: Final = 1 << 17
_CPU: Final = """\
processor\t: {cpu}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 6
model name\t: QEMU Virtual CPU
cpu MHz\t\t: 1000.000
physical id\t: {cpu}
siblings\t: 1
core id\t\t: 0
cpu cores\t: 1
flags\t\t: fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr \
sse sse2 syscall nx lm constant_tsc cpuid pni cx16
bogomips\t: 2000.00
address sizes\t: 40 bits physical, 48 bits virtual

"""
_PORTS: Final = """\
0000-0cf7 : PCI Bus 0000:00
  0040-0043 : timer0
  0061-0061 : keyboard
  0070-0071 : rtc0
  0080-0080 : post
  00e9-00e9 : debug console
  03f8-03ff : serial
0cf8-0cff : PCI conf1
"""
_CONFIG: Final = b"""\
CONFIG_X86_64=y
CONFIG_IA32_EMULATION=y
CONFIG_MULTIUSER=y
CONFIG_X86_IOPL_IOPERM=y
CONFIG_EPOLL=y
CONFIG_EVENTFD=y
CONFIG_TIMERFD=y
CONFIG_SHMEM=y
CONFIG_PROC_FS=y
CONFIG_DEVMEM=y
CONFIG_STRICT_DEVMEM=y
CONFIG_DEVPORT=y
CONFIG_NVRAM=y
# CONFIG_NET is not set
"""
"""What of a kernel the machine has, in the form of a .config."""
_MOUNTS: Final = """\
host / iopermit ro,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /dev tmpfs rw,nosuid,relatime 0 0
tmpfs /dev/shm tmpfs rw,nosuid,nodev,relatime 0 0
tmpfs /tmp tmpfs rw,nosuid,nodev,relatime 0 0
"""


class ProcTree(DirectoryNode):
    """/proc."""

    def __init__(self, machine: Machine) -> None:
        """Show the processes of `machine`."""
        self._machine = machine
        texts: dict[str, Callable[[], str]] = {
            "meminfo": lambda: _meminfo(machine),
            "stat": lambda: _stat(machine),
            "cpuinfo": lambda: "".join(_CPU.format(cpu=n) for n in range(machine.options.cpus)),
            "ioports": lambda: _PORTS,
            "uptime": lambda: f"{machine.clock.monotonic / SECOND:.2f} 0.00\n",
            "loadavg": lambda: f"0.00 0.00 0.00 1/{len(machine.tasks)} 0\n",
            "version": lambda: f"Linux version {machine.release()} (iopermit)\n",
            "filesystems": lambda: "nodev\tproc\nnodev\ttmpfs\n",
        }
        limits = {"pid_max": "32768\n", "ngroups_max": "65536\n", "cap_last_cap": "40\n"}
        limits |= {"osrelease": machine.release() + "\n", "ostype": "Linux\n"}
        memory = {
            "overcommit_memory": "1\n",
            "max_map_count": "65530\n",
            "mmap_min_addr": "65536\n",
        }
        settings = {"kernel": _texts(limits), "vm": _texts(memory)}
        self._fixed: dict[str, Node] = {
            **{name: TextNode(_encoded(text)) for name, text in texts.items()},
            "mounts": FixedLink("self/mounts"),
            # Compressed now: later there is no way to import what compresses.
            "config.gz": TextNode(functools.partial(bytes, gzip.compress(_CONFIG, mtime=0))),
            "sys": FixedDirectory(settings),
            "self": SelfLink("{pid}"),
            "thread-self": SelfLink("{pid}/task/{tid}"),
        }

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFDIR | 0o555, 1, DEVICE, links=2)

    def lookup(self, name: str, viewer: Viewer) -> Node | None:
        """Return a file, or the directory of a process."""
        if name.isascii() and name.isdigit():
            process = self._machine.processes.get(int(name[:10]))
            return None if process is None else process_directory(self._machine, process)
        return self._fixed.get(name)

    def entries(self, viewer: Viewer) -> list[Entry]:
        """Return the files and the processes."""
        processes = [(str(pid), _INODE + pid, stat.S_IFDIR) for pid in self._machine.processes]
        return processes + entries_of(self._fixed)


class SelfLink(LinkNode):
    """A link that leads everyone to his own process."""

    def __init__(self, form: str) -> None:
        """Lead to `form`, with {pid} and {tid} filled in."""
        self._form = form

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFLNK | 0o777, id(self) & 0xFFFF_FFFF, DEVICE)

    def target(self, viewer: Viewer) -> str:
        """Return the path of the viewer's own. Raises KernelError if he is no process yet."""
        if not isinstance(viewer, UserTask):
            raise KernelError(errno.ENOENT)
        return self._form.format(pid=viewer.process.pid, tid=viewer.tid)


class DescriptorLink(LinkNode):
    """/proc/PID/fd/N: the open file itself."""

    def __init__(self, file: OpenFile) -> None:
        """Lead to `file`."""
        self._file = file

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFLNK | 0o700, id(self._file) & 0xFFFF_FFFF, DEVICE)

    def target(self, viewer: Viewer) -> str:
        """Return the path of the file when it was opened."""
        return self._file.path

    def jump(self, viewer: Viewer) -> Node | None:
        """Return the file; a directory is found by its path."""
        if stat.S_ISDIR(self._file.status().mode):
            return None
        return OpenedNode(self._file)


class OpenedNode(FileNode):
    """A file that somebody has open, as something that can be opened."""

    def __init__(self, file: OpenFile) -> None:
        """Be `file`."""
        self.file = file

    def status(self) -> FileStatus:
        """Return the status of the file."""
        return self.file.status()

    def open(self, viewer: Viewer, path: str, flags: int) -> OpenFile:
        """Open the file once more."""
        return self.file.reopen(flags)


class DescriptorDirectory(DirectoryNode):
    """/proc/PID/fd."""

    def __init__(self, process: UserProcess) -> None:
        """Show the descriptors of `process`."""
        self._process = process

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFDIR | 0o555, _INODE + self._process.pid, DEVICE, links=2)

    def lookup(self, name: str, viewer: Viewer) -> Node | None:
        """Return a descriptor."""
        if not (name.isascii() and name.isdigit()):
            return None
        try:
            return DescriptorLink(self._process.files.get(int(name[:10])))
        except KernelError:
            return None

    def entries(self, viewer: Viewer) -> list[Entry]:
        """Return the descriptors."""
        return [(str(n), _INODE + n, stat.S_IFLNK) for n in self._process.files.descriptors()]


def process_directory(machine: Machine, process: UserProcess) -> DirectoryNode:
    """Return /proc/PID of a process."""
    texts: dict[str, Callable[[], bytes]] = {
        "maps": lambda: _maps(process),
        "comm": lambda: os.fsencode(process.name[:15]) + b"\n",
        "status": lambda: _status(process),
        "cmdline": lambda: _memory(process, process.arguments_at),
        "environ": lambda: _memory(process, process.environment_at),
        "stat": lambda: _process_stat(process),
        "statm": lambda: _process_sizes(process),
        "mounts": _MOUNTS.encode,
        "limits": lambda: b"Limit  Soft Limit  Hard Limit  Units\n",
        "cgroup": lambda: b"0::/\n",
    }
    children: dict[str, Node] = {name: TextNode(text) for name, text in texts.items()}
    children["exe"] = FixedLink(process.path)
    children["cwd"] = FixedLink(process.cwd)
    children["root"] = FixedLink("/")
    children["fd"] = DescriptorDirectory(process)
    tasks = {str(t.tid): FixedDirectory({"comm": children["comm"], "stat": children["stat"],
                                         "status": children["status"]})
             for t in process.tasks}  # fmt: skip
    children["task"] = FixedDirectory(tasks)
    return FixedDirectory(children)


def _encoded(text: Callable[[], str]) -> Callable[[], bytes]:
    return lambda: text().encode()


def _texts(texts: dict[str, str]) -> FixedDirectory:
    return FixedDirectory({name: TextNode(text.encode) for name, text in texts.items()})


def _memory(process: UserProcess, place: tuple[int, int]) -> bytes:
    """Return strings on the first stack, as they are now."""
    start, end = place
    try:
        return process.space.read(start, min(end - start, _LONGEST_ARGUMENTS))
    except BadAddressError:
        return b""


def _maps(process: UserProcess) -> bytes:
    return b"".join(
        f"{a.start:08x}-{a.end:08x} {'r' if a.protection & 1 else '-'}"
        f"{'w' if a.protection & 2 else '-'}{'x' if a.protection & 4 else '-'}"
        f"{'s' if a.shared else 'p'} {a.offset:08x} 00:00 0          ".encode()
        + os.fsencode(a.name)
        + b"\n"
        for a in process.space.areas
    )


def _status(process: UserProcess) -> bytes:
    ids = process.tasks[0].credentials if process.tasks else None
    lines = [
        b"Name:\t" + os.fsencode(process.name[:15]),
        f"State:\t{'R (running)' if process.tasks else 'Z (zombie)'}".encode(),
        f"Tgid:\t{process.pid}\nPid:\t{process.pid}".encode(),
        f"PPid:\t{process.parent.pid if process.parent else 0}".encode(),
    ]
    if ids is not None:
        groups = " ".join(map(str, ids.groups))
        lines.append(
            f"Uid:\t{ids.uid}\t{ids.euid}\t{ids.suid}\t{ids.euid}\n"
            f"Gid:\t{ids.gid}\t{ids.egid}\t{ids.sgid}\t{ids.egid}\n"
            f"Groups:\t{groups}\nThreads:\t{len(process.tasks)}\n"
            f"CapInh:\t{ids.inheritable:016x}\nCapPrm:\t{ids.permitted:016x}\n"
            f"CapEff:\t{ids.effective:016x}".encode()
        )
    return b"\n".join(lines) + b"\n"


def _process_stat(process: UserProcess) -> bytes:
    state = "R" if process.tasks else "Z"
    parent = process.parent.pid if process.parent else 0
    head = f"{process.pid} (".encode() + os.fsencode(process.name[:15])
    numbers = [parent, process.group, process.session, *[0] * 12, 20, 0, len(process.tasks) or 1]
    size = sum(area.end - area.start for area in process.space.areas)
    numbers += [0, 0, size, 0, (1 << 64) - 1, *[0] * 26]
    return head + f") {state} {' '.join(map(str, numbers))}\n".encode()


def _process_sizes(process: UserProcess) -> bytes:
    pages = sum(area.end - area.start for area in process.space.areas) // PAGE
    return f"{pages} {process.space.resident} 0 0 0 0 0\n".encode()


def _meminfo(machine: Machine) -> str:
    total, free = machine.memory.size // 1024, machine.memory.free_pages * PAGE // 1024
    rows = {"MemTotal": total, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": 0}
    rows |= {"SwapTotal": 0, "SwapFree": 0}
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in rows.items())


def _stat(machine: Machine) -> str:
    ticks = machine.clock.monotonic // 10_000_000
    names = ["cpu ", *(f"cpu{n}" for n in range(machine.options.cpus))]
    lines = [f"{name} {ticks} 0 0 0 0 0 0 0 0 0" for name in names]
    tail = f"intr 0\nctxt 0\nbtime {EPOCH // SECOND}\nprocesses {len(machine.processes)}\n"
    return "\n".join(lines) + "\n" + tail + f"procs_running {len(machine.tasks)}\n"
