"""What a program may see of the host's files: by what was opened, never by how it was spelled.

- Regular files and directories are opened, nothing else: no device, no pipe, no socket.
- Nothing of a file system that shows the kernel or its processes (proc, sysfs and the like), and
  nothing of the file systems that are mounted at or below the host's /proc, /sys and /dev,
  wherever else they are mounted too.
- If iopermit itself is root: nothing that only root, or only another user, may read. What is
  shown is what a user without any rights could read; `as_root` shows the rest.
"""

from __future__ import annotations

import ctypes
import os
import stat
from dataclasses import dataclass
from typing import Final

from iopermit.machine.credentials import Credentials

KERNEL_TREES: Final = ("/proc", "/sys", "/dev")
"""Trees of the host that are never shown, whatever lies there."""

_KERNEL_FILE_SYSTEMS: Final = frozenset(
    {
        0x9FA0,  # proc
        0x6265_6572,  # sysfs
        0x1CD1,  # devpts
        0x6462_6720,  # debugfs
        0x7472_6163,  # tracefs
        0x7363_6673,  # securityfs
        0x0027_E0EB,  # cgroup
        0x6367_7270,  # cgroup2
        0xCAFE_4A11,  # bpf
        0x6165_676C,  # pstore
        0x6265_6570,  # configfs
        0xDE5E_81E4,  # efivarfs
        0x1980_0202,  # mqueue
        0x9584_58F6,  # hugetlbfs
        0x6E73_6673,  # nsfs
        0x4249_4E4D,  # binfmt_misc
        0x6573_5543,  # fusectl
        0xF97C_FF8C,  # selinuxfs
        0x4341_5D53,  # smackfs
        0x5A3C_69F0,  # apparmorfs
        0x0765_5821,  # resctrl
        0x0904_1934,  # anonymous inodes
        0x534F_434B,  # sockets
        0x5049_5045,  # pipes
        0x5345_434D,  # secret memory
        0x444D_4142,  # DMA buffers
    }
)
"""f_type of statfs(2), from linux/magic.h."""

NOBODY: Final = Credentials.of_user(65534)
"""Whom files belong to that belong to nobody."""
READ, EXECUTE = 4, 1


@dataclass(frozen=True)
class Policy:
    """What the user asked for.

    Attributes:
        root: the directory of the host that programs see as /.
        as_root: whether files are shown that only root, or only another user, may read.
        user: the ids of every task, if no task can have others.
    """

    root: str = "/"
    as_root: bool = False
    user: Credentials | None = None


class HostPolicy:
    """Decides about objects of the host that are open (O_PATH) and looked at."""

    def __init__(self, policy: Policy) -> None:
        """Look at the host's mounts."""
        self.user = policy.user
        self._strict = os.geteuid() == 0 and not policy.as_root
        self._devices, self._objects = _kernel_objects()
        self._root_device = os.stat(policy.root).st_dev
        self._statfs = ctypes.CDLL(None, use_errno=True).fstatfs
        self._answer = ctypes.create_string_buffer(512)

    def hides(self, descriptor: int, found: os.stat_result) -> bool:
        """Return whether an object belongs to the kernel, or to its processes or devices."""
        if found.st_dev in self._devices or (found.st_dev, found.st_ino) in self._objects:
            return True
        if found.st_dev == self._root_device and not stat.S_ISLNK(found.st_mode):
            return False
        return self._type(descriptor) in _KERNEL_FILE_SYSTEMS

    def may(self, wanted: int, found: os.stat_result, ids: Credentials) -> bool:
        """Return whether a task may use a file or directory, and whether it is shown at all.

        Args:
            wanted: bits of READ and EXECUTE (search, for a directory).
            found: the status of the object.
            ids: who the task says it is; not believed if no task can be anybody else than `user`.
        """
        mode, uid, gid = found.st_mode, found.st_uid, found.st_gid
        if self._strict and not NOBODY.may(wanted, mode, uid, gid):
            return False
        return (self.user or ids).may(wanted, mode, uid, gid)

    def shows(self, found: os.stat_result) -> bool:
        """Return whether the contents of a file are shown to anybody."""
        mode, uid, gid = found.st_mode, found.st_uid, found.st_gid
        return not self._strict or NOBODY.may(READ, mode, uid, gid)

    def may_execute_named(self, found: os.stat_result) -> bool:
        """Return whether the program that the user named may be executed, as far as its mode."""
        ids = self.user or Credentials()
        return ids.may(EXECUTE, found.st_mode, found.st_uid, found.st_gid)

    def _type(self, descriptor: int) -> int:
        """Return the type of a file system; one that cannot be found out counts as proc."""
        if self._statfs(descriptor, self._answer) != 0:
            return 0x9FA0
        return ctypes.c_uint32.from_buffer(self._answer).value


def _kernel_objects() -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    """Return the devices of file systems, and the directories, that are never shown."""
    devices, objects = set(), set()
    root = os.stat("/").st_dev
    for path in (*KERNEL_TREES, *_mounts_below_kernel_trees()):
        try:
            found = os.lstat(path)
        except OSError:
            continue
        objects.add((found.st_dev, found.st_ino))
        if found.st_dev != root:
            devices.add(found.st_dev)
    return frozenset(devices), frozenset(objects)


def _mounts_below_kernel_trees() -> list[str]:
    """Return the mount points of the host at and below /proc, /sys and /dev."""
    try:
        with open("/proc/self/mountinfo", "rb") as table:
            points = [line.split()[4] for line in table]
    except (OSError, IndexError):
        points = []
    prefixes = tuple(tree.encode() for tree in KERNEL_TREES)
    escaped = [point for point in points if point.startswith(prefixes)]
    return [os.fsdecode(point.decode("unicode_escape").encode("latin-1")) for point in escaped]
