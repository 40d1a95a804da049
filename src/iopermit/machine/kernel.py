"""The kernel of the machine: a design, tasks, memory, a CPU back end, and what connects them."""

from __future__ import annotations

import errno
import os
import random
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

from iopermit import arch
from iopermit.machine.clock import KERNEL_ENTRY, Clock
from iopermit.machine.cpu.interface import (
    R8,
    R9,
    R10,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RIP,
    RSI,
    RSP,
    CpuBackend,
    RegisterFile,
)
from iopermit.machine.cpu.tables import ProcessorTables
from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.files.open_files import FileTable, HostStream
from iopermit.machine.memory.address_space import AddressSpace
from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.memory.physical import OutOfMemoryError, PhysicalMemory
from iopermit.machine.program import elf
from iopermit.machine.strace import Strace
from iopermit.machine.syscalls import QUIET, SERVICES, Call
from iopermit.machine.tasks.futexes import Futexes
from iopermit.machine.tasks.identity import identity
from iopermit.machine.tasks.process import (
    Credentials,
    Process,
    SignalHandlers,
    SignalInfo,
    State,
    Task,
)
from iopermit.system.bitmap import PORTS
from iopermit.system.concretion import Concretion
from iopermit.system.execution import Mode
from iopermit.system.running import Runner
from iopermit.system.scenario import RunScenario
from iopermit.system.simulation import System

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.machine.devices.bus import Bus
    from iopermit.system.bitmap import PortRange
    from iopermit.system.design import Design
    from iopermit.system.machine_state import TssLayout

MEMORY: Final = 1 << 30
"""Bytes of physical memory if nothing else is asked; the host provides what is touched."""
SMALLEST_MEMORY: Final = 8 << 20
"""Bytes of physical memory with which a small program can run."""

_ARGUMENTS: Final = {64: (RDI, RSI, RDX, R10, R8, R9), 32: (RBX, RCX, RDX, RSI, RDI, RBP)}
_ORDINARY_UID: Final = 1000
_MASK_32: Final = 0xFFFF_FFFF
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


class Kernel:
    """The state of the machine and the services that system calls use.

    Attributes:
        system: the design and its tasks.
        runner: makes tasks enter the design.
        tasks: live tasks by tid.
        init: the first process.
    """

    def __init__(
        self,
        options: Options,
        make_bus: Callable[[Clock], Bus],
        *,
        strace: TextIO | None = None,
        messages: TextIO | None = None,
    ) -> None:
        """Bring the machine up; no program is loaded yet.

        Args:
            options: what the machine is like.
            make_bus: connects the port devices.
            strace: where to print system calls and port accesses; None: nowhere.
            messages: where to name what is not served; standard error if None.

        Raises:
            KernelCrash: the design crashes when it brings up a CPU.
            MachineError: the CPU back end cannot be used.
        """
        from iopermit.machine.cpu.backends import make_backend  # noqa: PLC0415 - imports Unicorn

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
        self.backend: CpuBackend = make_backend(options.cpu, self.memory, self.tables, self.judge)
        self.bus = make_bus(self.clock)
        self.entropy = random.Random(f"entropy {options.seed}")
        self.tasks: dict[int, Task] = {}
        self.processes: dict[int, Process] = {}
        self.init: Process | None = None
        self.resched = False
        """Whether the running task gives the CPU up (sched_yield)."""
        self.leaks = 0
        """Port accesses that the processor allowed and the specification does not."""
        self.accesses = 0
        self.calls = 0
        self.futexes = Futexes()
        self._named: set[tuple[int, int]] = set()
        self._next_pid = _FIRST_PID

    # Programs.

    def start(self, path: str, arguments: Sequence[bytes], environment: Sequence[bytes]) -> Task:
        """Load the first program. Raises LoadError."""
        image = elf.read_image(path)
        credentials = Credentials()
        if self.options.user:
            ids = (_ORDINARY_UID,) * 3
            credentials = Credentials(*ids, *ids, permitted=0, effective=0)
        space = self.new_space(image.bits)
        program = elf.load(
            image, space, arguments, environment, identity(credentials), self.entropy
        )
        files = FileTable()
        for number, stream in enumerate((sys.__stdin__, sys.__stdout__, sys.__stderr__)):
            if stream is not None:
                files.add(HostStream(path=f"/dev/fd/{number}", descriptor=number))
        pid = self.new_pid()
        process = Process(
            pid, None, space, files, SignalHandlers(), _working_directory(), path, image.bits,
            group=pid, session=pid, name=os.path.basename(path),
        )  # fmt: skip
        context = self.backend.new_context(image.bits)
        context.registers[RIP], context.registers[RSP] = program.start, program.stack
        task = Task(pid, 0, process, context, credentials)
        task.affinity = frozenset(range(self.options.cpus))
        process.tasks.append(task)
        self.tasks[pid], self.processes[pid], self.init = task, process, process
        self.system.threads[0].record.privileged = credentials.raw_io
        return task

    def new_space(self, bits: int) -> AddressSpace:
        """Return an empty address space."""
        return AddressSpace(self.memory, elf.space_top(bits), self.backend.flush)

    def new_pid(self) -> int:
        """Return a number for a task."""
        self._next_pid += 1
        return self._next_pid

    # System calls.

    def serve(self, task: Task, abi: int) -> None:
        """Serve the system call that a task made, or makes again after it had to wait."""
        registers = task.context.registers
        number = registers[RAX] & _MASK_32 if task.call is None else task.call[1]
        service = SERVICES.get((abi, number))
        if service is None:
            self._not_served(task, abi, number)
            return
        arguments = self.arguments(registers, abi, len(service.arguments))
        if task.call is None:
            self.calls += 1
            self.clock.advance(KERNEL_ENTRY)
            self.strace.enter(task, service, arguments)
        try:
            result = service.handler(Call(self, task, abi), *arguments)
        except KernelError as error:
            result = -error.errno
        except BadAddressError:
            result = -errno.EFAULT
        except OutOfMemoryError:
            result = -errno.ENOMEM
        except Blocked as wait:
            task.call, task.wait, task.state = (abi, number), wait, State.BLOCKED
            self.enter(task)
            return
        except OSError as error:
            result = -(error.errno or errno.EIO)
        self.finish(task, result)

    def finish(self, task: Task, result: int | None) -> None:
        """Let a system call return (None: registers were set otherwise)."""
        self.futexes.forget(task)
        task.call = task.wait = task.wait_data = None
        if result is not None and task.state is not State.DEAD:
            width = 0xFFFF_FFFF_FFFF_FFFF if task.bits == 64 else _MASK_32
            task.context.registers[RAX] = result & width
        if task.state is not State.DEAD:
            self.strace.leave(task, result)
            self.enter(task)

    @staticmethod
    def arguments(registers: RegisterFile, abi: int, count: int) -> list[int]:
        """Return the arguments of a system call."""
        values = [registers[index] for index in _ARGUMENTS[abi][:count]]
        return values if abi == 64 else [value & _MASK_32 for value in values]

    def enter(self, task: Task) -> None:
        """Let the design see that a task entered the kernel, unless it has seen that."""
        if self.system.threads[task.slot].mode is Mode.USER:
            self.runner.other_call(task.slot)

    def enter_for_fork(self, task: Task) -> None:
        """Let a task be where the design's fork hook expects it: coming from user mode."""
        thread = self.system.threads[task.slot]
        if thread.mode is Mode.KERNEL:
            self.runner.return_to_user(task.slot)

    def _not_served(self, task: Task, abi: int, number: int) -> None:
        if (abi, number) not in self._named and (abi, number) not in QUIET:
            self._named.add((abi, number))
            kind = "" if abi == 64 else "i386 "
            self.say(f"{kind}system call {number} is not served (ENOSYS)")
        self.finish(task, -errno.ENOSYS)

    def say(self, message: str) -> None:
        """Print a message for the user of iopermit."""
        stream = self._messages or sys.stderr
        stream.write(f"iopermit: {message}\n")
        stream.flush()

    # Ports.

    def judge(self, cpu: int, port: int, width: int) -> bool:
        """Tell whether the processor lets the current task of a CPU use a port."""
        processor = self.system.processors[cpu]
        thread = self.system.current(processor)
        return arch.permitted(
            port,
            width,
            cpl=arch.MAX_PRIVILEGE_LEVEL,
            iopl=self.system.design.iopl_in_force(processor.record, thread.record),
            vm86=False,
            protected=True,
            tss=self.system.tss_view(processor),
        )

    def port_in(self, task: Task, port: int, width: int) -> int:
        """Do a read of a port that the processor allowed."""
        self._count_access(task, port, width)
        value = self.bus.read(port, width)
        self.strace.port_in(task, port, width, value)
        self._log("in", task, port, width, value)
        return value

    def port_out(self, task: Task, port: int, width: int, value: int) -> None:
        """Do a write to a port that the processor allowed."""
        self._count_access(task, port, width)
        self.strace.port_out(task, port, width, value)
        self._log("out", task, port, width, value)
        self.bus.write(port, width, value)

    def _count_access(self, task: Task, port: int, width: int) -> None:
        self.accesses += 1
        self.clock.advance(KERNEL_ENTRY)
        grants = self.system.threads[task.slot].grants
        if grants.iopl == arch.MAX_PRIVILEGE_LEVEL:
            return
        if port + width > PORTS or not grants.ports[port : port + width].all():
            self.leaks += 1

    def _log(self, direction: str, task: Task, port: int, width: int, value: int) -> None:
        self.bus.log(
            {
                "time": self.clock.monotonic,
                "pid": task.process.pid,
                "tid": task.tid,
                "cpu": task.last_cpu,
                "direction": direction,
                "port": port,
                "width": width,
                "value": value,
            }
        )

    def ioperm(self, task: Task, ports: PortRange, *, turn_on: bool) -> int:
        """Let the design grant or revoke ports."""
        return self.runner.ioperm(task.slot, ports, turn_on)

    # Credentials and signals.

    def set_credentials(self, task: Task, credentials: Credentials) -> None:
        """Change ids and capabilities, and tell the design about CAP_SYS_RAWIO."""
        had, task.credentials = task.credentials.raw_io, credentials
        if had and not credentials.raw_io:
            self.runner.drop_privilege(task.slot)
        else:
            self.system.threads[task.slot].record.privileged = credentials.raw_io

    def post(self, target: Task | Process, info: SignalInfo) -> None:
        """Make a signal pending for a task or for a process."""
        queue = target.pending
        if info.number < 32 and any(other.number == info.number for other in queue):
            return
        queue.append(info)


def _whole_map(layout: TssLayout) -> Concretion:
    """Let one long stand for the whole map, which is then copied in one piece."""
    return Concretion(layout.geometry((0, layout.map_ports // layout.long_bits)), ())


def _working_directory() -> str:
    """Return the host's working directory, or the root if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return "/"
