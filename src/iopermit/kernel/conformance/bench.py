"""One CPU whose tasks make calls one after the other; each is compared with the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit import arch
from iopermit.engine.violation import task_name
from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.conformance.reference import ReferenceTask
from iopermit.kernel.conformance.single_cpu import TASKS, USER_CPL, SingleCpu
from iopermit.kernel.execution.host.services import FAILS
from iopermit.system.bitmap import PORTS
from iopermit.system.events import hooks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.kernel.execution.executor import TransitionEnd
    from iopermit.kernel.image.linker import Image

_ERRORS: Final = {0: "0", 1: "-EPERM", 12: "-ENOMEM", 22: "-EINVAL"}


class Bench:
    """Tasks on one CPU, and the reference for what they may do.

    Attributes:
        cpu: the CPU.
        tasks: what each task was granted; None: there is no such task.
        steps: the calls so far, in words.
    """

    def __init__(self, image: Image) -> None:
        """Bring the machine up with all tasks, of which the first one runs."""
        self.cpu = SingleCpu(image)
        self.tasks: list[ReferenceTask | None] = [ReferenceTask() for _ in range(TASKS)]
        self.steps: list[str] = []

    def begin(self) -> None:
        """Let the first task return to user mode for the first time.

        Raises:
            BrokenRule: what it may use is wrong: the CPU was not brought up as it has to be.
        """
        self._say("begins, on a CPU that has come up")
        self.return_to_user()

    @property
    def current(self) -> int:
        """The slot of the task that runs."""
        return self.cpu.current

    @property
    def task(self) -> ReferenceTask:
        """What the current task was granted."""
        task = self.tasks[self.current]
        assert task is not None  # it runs
        return task

    # Calls.

    def ioperm(
        self, first: int, count: int, turn_on: int, *, locked: bool = False, fails: bool = False
    ) -> None:
        """Let the current task change its ports; with `fails` an allocation fails, if there is one.

        Raises:
            BrokenRule: the result, or what the task may use afterwards, is wrong.
        """
        self._say(f"ioperm({first}, {count}, {_signed(turn_on)})", locked=locked, fails=fails)
        ending = self.cpu.system_call(
            hooks.IOPERM.name,
            (first, count, turn_on),
            privileged=self.task.privileged,
            locked=locked,
            fails=fails,
        )
        failed = fails and FAILS in self.cpu.chosen()
        wanted = self.task.ioperm(first, count, turn_on, locked=locked, fails=failed)
        self._compare_result("ioperm()", ending, wanted)
        self.return_to_user()

    def iopl(self, level: int, *, locked: bool = False) -> None:
        """Let the current task change its level.

        Raises:
            BrokenRule: the result, or what the task may use afterwards, is wrong.
        """
        self._say(f"iopl({level})", locked=locked)
        ending = self.cpu.system_call(
            hooks.IOPL.name, (level,), privileged=self.task.privileged, locked=locked, fails=False
        )
        self._compare_result("iopl()", ending, self.task.iopl(level, locked=locked))
        self.return_to_user()

    def drop_privilege(self) -> None:
        """Let the current task lose CAP_SYS_RAWIO."""
        self._say("drops CAP_SYS_RAWIO")
        self.task.privileged = False

    def switch(self, slot: int) -> None:
        """Let another task run, and return to user mode.

        Raises:
            BrokenRule: what it may use is wrong.
        """
        self._say(f"switch to task {task_name(slot)}")
        self.cpu.switch(slot)
        self.return_to_user()

    def fork(self, child: int, *, flags: int = 0, kind: int = 0, fails: bool = False) -> None:
        """Let the current task make a child in a free slot; `fails`: it fails late.

        Args:
            child: the slot.
            flags: clone flags.
            kind: 0: a user thread, 1: a kernel thread, 2: a worker of io_uring.
            fails: whether everything is undone after the thread was copied.
        """
        names = ("fork", "makes a kernel thread", "makes a worker of io_uring")
        self._say(f"{names[kind]}, flags {flags:#x}{', which fails late' if fails else ''}")
        memory = self.cpu.memory
        memory.emulator.write(memory.task(child), bytes(self.cpu.kernel.layout.task_size))
        memory.emulator.write(memory.stack(child), bytes(self.cpu.kernel.layout.stack_size))
        arguments = [memory.task(child), memory.stack(child), flags, kind]
        ending = self.cpu.call(hooks.FORK.name, arguments, involved=frozenset({child}))
        self._compare_result("copy_thread()", ending, 0)
        if fails:
            self.cpu.call(hooks.FORK_FAILED.name, [memory.task(child)], involved=frozenset({child}))
        else:
            self.tasks[child] = self.task.child() if not kind else ReferenceTask()
        self.return_to_user()

    def exit(self, following: int) -> None:
        """Let the current task end, and another one run."""
        self._say("exit()")
        self.cpu.call(hooks.EXIT.name, [])
        self.tasks[self.current] = None
        self._say(f"switch to task {task_name(following)}")
        self.cpu.switch(following)
        self.return_to_user()

    def end_kernel_thread(self, slot: int, following: int) -> None:
        """Let a kernel thread run and end, which never returns to user mode."""
        self._say(f"kernel thread {task_name(slot)} runs and ends")
        self.cpu.switch(slot)
        self.cpu.call(hooks.EXIT.name, [])
        self.tasks[slot] = None
        self.cpu.switch(following)
        self.return_to_user()

    def exec(self) -> None:
        """Let the current task execute another program, which changes no grant."""
        self._say("execve()")
        self.cpu.call(hooks.EXECVE.name, [])
        self.return_to_user()

    def vm_exit(self) -> None:
        """Let a virtual machine exit on the CPU: the cached TSS limit is 0x67 then."""
        self._say("a VM exit")
        self.cpu.lower_limit()
        self.cpu.call(hooks.VM_EXIT.name, [])
        self.return_to_user()

    def set_flag(self, bit: int, *, on: bool) -> None:
        """Set or clear another flag of all threads."""
        for slot in range(TASKS):
            flags = self.cpu.flags(slot)
            self.cpu.set_flags(slot, flags | 1 << bit if on else flags & ~(1 << bit))

    @property
    def has_lockdown(self) -> bool:
        """Whether the tree's kernels can be locked down (since 5.4)."""
        image = self.cpu.kernel.emulator.image
        return "security_locked_down" in image.host.values()

    def is_own_flag(self, bit: int) -> bool:
        """Return whether a thread flag is TIF_IO_BITMAP."""
        return bit == self.cpu.kernel.layout["TIF_IO_BITMAP"]

    def require_no_garbage(self) -> None:
        """Require that everything was freed which no task refers to any more.

        Raises:
            BrokenRule: something is still allocated.
        """
        alive = [slot for slot, task in enumerate(self.tasks) if task is not None]
        for used in self.cpu.heap.used:
            if not any(self.cpu.refers_to(slot, used) for slot in alive):
                raise BrokenRule(
                    "garbage", "a map stays allocated after the last task that used it has ended"
                )

    # Execution.

    def return_to_user(self) -> None:
        """Return to user mode, where the current task may use what it was granted, no more.

        Raises:
            BrokenRule: it may use other ports.
        """
        regs = self.cpu.memory.registers_of(self.current)
        self.cpu.call(hooks.RETURN_TO_USER.name, [regs])
        granted = _bits(self.task.allowed)
        for width in arch.WIDTHS:
            # What begins at a port needs all ports that it covers; none lies behind the last one.
            wanted = granted.copy()
            for more in range(1, width):
                wanted[:-more] &= granted[more:]
                wanted[-more:] = False
            allowed = self.cpu.allowed(width)
            if width > 1 and granted.all() and self.cpu.iopl == USER_CPL:
                # IOPL 3 refuses nothing, and behind the last port is none that could leak.
                wanted[1 - width :] = True
            self._compare_ports(allowed, wanted, width)

    def _compare_ports(
        self, allowed: NDArray[np.bool_], granted: NDArray[np.bool_], width: int
    ) -> None:
        leaked, lost = allowed & ~granted, granted & ~allowed
        if not leaked.any() and not lost.any():
            return
        wrong = leaked if leaked.any() else lost
        ports, name = tuple(arch.as_ranges(wrong)), task_name(self.current)
        what = "may use" if leaked.any() else "may not use"
        which = "which it was not granted" if leaked.any() else "which it was granted"
        which += f", by an access of {width} bytes" if width > 1 else ""
        raise BrokenRule(
            "leak" if leaked.any() else "loss",
            f"task {name} {what} ports {arch.format_ranges(ports)}, {which}",
            name,
            ports,
            tuple(arch.as_ranges(allowed)),
            tuple(arch.as_ranges(granted)),
        )

    def _compare_result(self, what: str, ending: TransitionEnd, wanted: int) -> None:
        found = ending.result & 0xFFFF_FFFF_FFFF_FFFF
        error = (1 << 64) - found if found >> 63 else found
        if error == wanted and (found >> 63 or not found):
            return
        shown = _ERRORS.get(error, str(-error)) if found >> 63 else str(found)
        message = f"{what} returns {shown}; it has to return {_ERRORS[wanted]}"
        raise BrokenRule("rule", message, task_name(self.current))

    def _say(self, what: str, *, locked: bool = False, fails: bool = False) -> None:
        more = ", locked down" if locked else ", without memory" if fails else ""
        self.steps.append(f"{task_name(self.current)}: {what}{more}")


def _bits(mask: int) -> NDArray[np.bool_]:
    data = np.frombuffer(mask.to_bytes(PORTS // 8, "little"), np.uint8)
    return np.unpackbits(data, bitorder="little").view(np.bool_)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
