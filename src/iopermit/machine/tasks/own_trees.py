"""The machine's own trees: /proc, /sys, /dev and /tmp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.machine.credentials import Credentials
from iopermit.machine.files.memory_tree import MemoryDirectory, MemoryFile, UnionDirectory
from iopermit.machine.files.special_files import (
    FixedDirectory,
    FixedLink,
    TextNode,
    simple_devices,
)
from iopermit.machine.isolation.export import CHUNK, file_messages
from iopermit.machine.isolation.walks import Walk, WalkPurpose
from iopermit.machine.tasks.proc_tree import ProcTree
from iopermit.machine.tasks.raw_devices import raw_devices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.machine.files.nodes import Node
    from iopermit.machine.tasks.machine import Machine

NAMES: Final = frozenset({"proc", "sys", "dev", "tmp"})
"""Names in the root that are the machine's own, not the host's."""


def set_up(machine: Machine) -> None:
    """Put the own trees in their places."""
    namespace, store = machine.namespace, machine.namespace.store
    devices: dict[str, Node] = {
        **simple_devices(machine.entropy),
        **raw_devices(machine),
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
        "sys": _sys_tree(machine.options.cpus),
        "dev": FixedDirectory(devices, 0o755),
        "tmp": temporary,
    }


def kept(machine: Machine) -> Iterator[dict[str, Any]]:
    """Yield the messages that keep what is in memory below /tmp and /dev/shm."""
    trees = machine.namespace.trees
    memory = "/dev/shm"  # noqa: S108 - the machine's own
    shared = machine.namespace.find(_Root(), "/", memory, WalkPurpose.STATUS).node
    for name, tree in (("tmp", trees["tmp"]), ("shm", shared)):
        assert isinstance(tree, MemoryDirectory)
        yield from _directory_messages([name], tree)


class _Root:
    """Whoever looks may see everything."""

    credentials: Credentials = Credentials()


def _directory_messages(path: list[str], directory: MemoryDirectory) -> Iterator[dict[str, Any]]:
    yield {"path": path, "kind": "directory"}
    for name, node in sorted(directory.children.items()):
        here = [*path, name]
        if isinstance(node, MemoryDirectory):
            yield from _directory_messages(here, node)
        elif isinstance(node, MemoryFile):
            places = range(0, node.size, CHUNK)
            chunks = (node.read(place, CHUNK) for place in places)
            yield from file_messages(here, node.status().mode, chunks)


def _sys_tree(cpus: int) -> FixedDirectory:
    """Return /sys, which has the processors and nothing else."""
    row = "0\n" if cpus == 1 else f"0-{cpus - 1}\n"
    processors: dict[str, Node] = {f"cpu{number}": FixedDirectory({}) for number in range(cpus)}
    processors |= {name: TextNode(row.encode) for name in ("online", "possible", "present")}
    system = FixedDirectory({"cpu": FixedDirectory(processors)})
    return FixedDirectory({"devices": FixedDirectory({"system": system})})
