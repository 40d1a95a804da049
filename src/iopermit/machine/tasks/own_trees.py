"""The machine's own trees: /proc, /sys, /dev and /tmp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.machine.credentials import Credentials
from iopermit.machine.files.memory_tree import MemoryDirectory, UnionDirectory
from iopermit.machine.files.special_files import FixedDirectory, FixedLink, simple_devices
from iopermit.machine.isolation.walks import Walk, WalkPurpose
from iopermit.machine.tasks.proc_tree import ProcTree

if TYPE_CHECKING:
    from iopermit.machine.files.nodes import Node
    from iopermit.machine.tasks.machine import Machine

NAMES: Final = frozenset({"proc", "sys", "dev", "tmp"})
"""Names in the root that are the machine's own, not the host's."""


def set_up(machine: Machine) -> None:
    """Put the own trees in their places."""
    namespace, store = machine.namespace, machine.namespace.store
    devices: dict[str, Node] = {
        **simple_devices(machine.entropy),
        "fd": FixedLink("/proc/self/fd"),
        "stdin": FixedLink("/proc/self/fd/0"),
        "stdout": FixedLink("/proc/self/fd/1"),
        "stderr": FixedLink("/proc/self/fd/2"),
        "shm": MemoryDirectory(store, 0o1777),
    }
    walk = Walk(WalkPurpose.SEARCH, ["tmp"], Credentials(), known=1)
    exists = machine.host.walk(walk).status is not None
    temporary = (
        UnionDirectory(store, 0o1777, ("tmp",)) if exists else MemoryDirectory(store, 0o1777)
    )
    namespace.trees |= {
        "proc": ProcTree(machine),
        "sys": FixedDirectory({}),
        "dev": FixedDirectory(devices, 0o755),
        "tmp": temporary,
    }
