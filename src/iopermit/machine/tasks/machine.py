"""The state of the machine: a design and its tasks, memory, a CPU back end, devices, time."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

from iopermit.machine.clock import Clock
from iopermit.machine.cpu.backends import make_backend
from iopermit.machine.cpu.tables import ProcessorTables
from iopermit.machine.files.memory_tree import MemoryStore
from iopermit.machine.files.namespace import Namespace
from iopermit.machine.memory.address_space import AddressSpace
from iopermit.machine.memory.physical import PhysicalMemory
from iopermit.machine.program.elf import space_top
from iopermit.machine.tasks.futexes import Futexes
from iopermit.machine.tasks.port_access import PortAccess
from iopermit.machine.tasks.strace import Strace
from iopermit.system.concretion import Concretion
from iopermit.system.running.runner import Runner
from iopermit.system.scenario import RunScenario
from iopermit.system.simulation import System

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.machine.credentials import Credentials
    from iopermit.machine.devices.bus import Bus
    from iopermit.machine.files.namespace import HostWalker
    from iopermit.machine.tasks.process import UserProcess, UserTask
    from iopermit.system.design import Design
    from iopermit.system.machine_state import TssLayout

MEMORY: Final = 1 << 30
"""Bytes of physical memory if nothing else is asked; the host provides what is touched."""
SMALLEST_MEMORY: Final = 8 << 20
"""Bytes of physical memory with which a small program can run."""

_FIRST_PID: Final = 1000


@dataclass(frozen=True)
class Options:
    """What `iopermit run` can be told about the machine."""

    design: type[Design]
    design_options: dict[str, bool] = field(default_factory=dict)
    cpu: str = "unicorn"
    cpus: int = 1
    seed: int = 0
    max_tasks: int = 64
    user: bool = False
    memory: int = MEMORY
    root: str = "/"
    """The directory of the host that programs see as /."""
    as_root_files: bool = False
    """Whether files are shown that only root, or only another user, may read."""
    sandbox: str = "auto"
    """Whether the emulator gives its rights up: auto, on (or it is an error), off."""
    export: str = ""
    """A directory in which to keep what is left in /tmp and /dev/shm; "" for nowhere."""
    timeout: float | None = None
    """Seconds after which the run is given up."""


class Machine:
    """Everything that a kernel knows; what it does with that is in the modules above.

    Attributes:
        system: the design and its tasks.
        runner: makes tasks enter the design.
        ports: the way from port accesses to the devices.
        tasks: live tasks by tid.
        processes: processes by pid, with those that nobody has waited for.
        init: the first process.
    """

    def __init__(
        self,
        options: Options,
        make_bus: Callable[[Clock], Bus],
        host: HostWalker,
        *,
        strace: TextIO | None = None,
        messages: TextIO | None = None,
    ) -> None:
        """Bring the machine up; no program is loaded yet.

        Args:
            options: what the machine is like.
            make_bus: connects the port devices.
            host: opens the host's files.
            strace: where to print system calls and port accesses; None: nowhere.
            messages: where to name what is not served; standard error if None.

        Raises:
            KernelCrash: the design crashes when it brings up a CPU.
            MachineError: the CPU back end cannot be used.
        """
        self.options = options
        self.clock = Clock()
        self.strace = Strace(strace)
        self._messages = messages
        layout = options.design.layout
        self.memory = PhysicalMemory(options.memory)
        self.tables = ProcessorTables(self.memory, options.cpus, layout.memory)
        self.system = System(
            options.design,
            RunScenario(cpus=options.cpus, tasks=options.max_tasks, longs=1, events=frozenset()),
            _whole_map(layout),
            options=options.design_options,
            started=1,
            max_refcount=options.max_tasks,
            tss_images=[self.tables.tss_image(cpu) for cpu in range(options.cpus)],
        )
        for cpu in range(options.cpus):
            self.tables.write_stack_pointer(cpu)
        self.runner = Runner(self.system)
        self.ports = PortAccess(self.system, make_bus(self.clock), self.clock, self.strace)
        self.backend = make_backend(options.cpu, self.memory, self.tables, self.ports.permitted_on)
        self.entropy = random.Random(f"entropy {options.seed}")
        self.host = host
        self.namespace = Namespace(host, MemoryStore(self.memory, self.clock))
        self.tasks: dict[int, UserTask] = {}
        self.processes: dict[int, UserProcess] = {}
        self.init: UserProcess | None = None
        self.resched = False
        """Whether the running task gives the CPU up (sched_yield)."""
        self.calls = 0
        """System calls so far."""
        self.futexes = Futexes()
        self._last_pid = _FIRST_PID

    def release(self) -> str:
        """Return the release of the kernel: that of the design, if it has one."""
        number = self.options.design.id.removeprefix("linux-").split("-")[0].split("+")[0]
        release = number if number[:1].isdigit() and "." in number else "6.16"
        return release + ".0" if release.count(".") == 1 else release

    def new_space(self, bits: int) -> AddressSpace:
        """Return an empty address space for a program of `bits` bits. Raises OutOfMemoryError."""
        return AddressSpace(self.memory, space_top(bits), self.backend.flush)

    def new_pid(self) -> int:
        """Return a number for a task."""
        self._last_pid += 1
        return self._last_pid

    def say(self, message: str) -> None:
        """Print a message for the user of iopermit."""
        stream = self._messages or sys.stderr
        stream.write(f"iopermit: {message}\n")
        stream.flush()

    def set_credentials(self, task: UserTask, credentials: Credentials) -> None:
        """Change ids and capabilities, and tell the design about CAP_SYS_RAWIO."""
        had, task.credentials = task.credentials.raw_io, credentials
        if had and not credentials.raw_io:
            self.runner.drop_privilege(task.slot)
        else:
            self.system.threads[task.slot].record.privileged = credentials.raw_io


def _whole_map(layout: TssLayout) -> Concretion:
    """Let one long stand for the whole map, which is then copied in one piece."""
    return Concretion(layout.geometry((0, layout.map_ports // layout.long_bits)), ())
