"""What the Linux designs share: the TSS-limit functions, both kinds of iopl, the layouts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeVar

from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import Cpu, IoMapBase, Task, TssLayout
from iopermit.system.records import NULL, Globals, IoplLevel, Ref

T = TypeVar("T")

OwnTss = Annotated[T, "this CPU's own TSS"]
"""The TSS of a CPU, where a design gives it fields of its own."""

MAX_IOPL: Final = 3
"""The highest I/O privilege level, and the lowest privilege of code (CPL 3)."""

PAGE: Final = 4096
"""Bytes in a page."""

LAYOUT_2_4: Final = TssLayout(
    long_bits=32,
    bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000},
    limit=235,
    map_ports=1024,
)
"""i386, 2.4: 32 words of map and one word behind them."""

LAYOUT_2_6_8: Final = TssLayout(
    long_bits=32,
    bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000},
    limit=8299,
)
"""i386, 2.6.8: all ports."""

LAYOUT_2_6_9: Final = TssLayout(
    long_bits=32,
    bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000},
    limit=8307,
)
"""i386, 2.6.9: max and owner follow the terminator, inside the limit, never read."""

LAYOUT_2_6_10: Final = TssLayout(
    long_bits=32,
    bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000, IoMapBase.LAZY: 0x9000},
    limit=8307,
)
"""i386, 2.6.10: as 2.6.9, with a second base past the limit."""

LAYOUT_5_4: Final = TssLayout(
    long_bits=64,
    bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000},
    limit=8303,
    size=3 * PAGE,
)
"""x86-64, v5.4: the map follows the hardware TSS (INVALID is for the double-fault TSS only)."""

LAYOUT_PREV_MAX: Final = TssLayout(
    long_bits=64,
    bases={IoMapBase.VALID: 0x70, IoMapBase.INVALID: 8312},
    limit=8311,
    size=3 * PAGE,
)
"""x86-64, patch V2 06/16 up to ecc7e37d: prev_max stands between hardware TSS and map."""

LAYOUT_PREV_SEQUENCE: Final = TssLayout(
    long_bits=64,
    bases={IoMapBase.VALID: 0x78, IoMapBase.INVALID: 8320},
    limit=8319,
    size=3 * PAGE,
)
"""x86-64, 060aa16f: prev_sequence stands there too."""

LAYOUT_5_5: Final = TssLayout(
    long_bits=64,
    bases={IoMapBase.VALID: 0x78, IoMapBase.ALL: 0x2080, IoMapBase.INVALID: 0x4088},
    limit=0x4087,
    size=5 * PAGE,
)
"""x86-64, v5.5 and later: a second map of zeros follows, which allows every port."""


class LinuxDesign(Design):
    """A Linux kernel."""

    IO_BITMAP_BITS: ClassVar[int] = 65536
    """Ports that a map covers."""
    iopl_survives_exec: ClassVar[bool] = False
    """Whether the permissions of iopl(2) outlive execve(2).

    The IOPL in EFLAGS does not (LKML, May 2015; man-pages commit 38931a4d3c26).
    """


class EflagsTask(Task):
    """A task whose IOPL is in the user EFLAGS that the kernel entry saved."""

    eflags_iopl: IoplLevel = 0
    """Bits 12-13 of the saved EFLAGS."""


class LinuxEflagsIopl(LinuxDesign):
    """iopl(2) sets the processor's IOPL; the saved EFLAGS are the only record (before v4.6)."""

    class Task(EflagsTask):
        """A task."""

    def iopl(self, cpu: Cpu, task: EflagsTask, level: int) -> int:
        """Write the level to the saved EFLAGS; only raising it needs a privilege."""
        if level > MAX_IOPL:
            return -EINVAL
        if level > task.eflags_iopl and not task.privileged:
            return -EPERM
        task.eflags_iopl = level
        return 0

    def execve(self, cpu: Cpu, task: EflagsTask) -> None:
        """Start the new program with fresh EFLAGS. The map is not touched."""
        task.eflags_iopl = 0

    def iopl_in_force(self, cpu: Cpu, task: EflagsTask) -> int:
        """Return the IOPL that the return to user mode loads."""
        return task.eflags_iopl


class LimitTask(Task):
    """A task with the thread flag that the TSS-limit functions test."""

    tif_io_bitmap: bool = False
    """The thread flag TIF_IO_BITMAP: the task uses an I/O bitmap."""


class LimitCpu(Cpu):
    """A CPU whose cached TSS limit is repaired lazily."""

    current: Ref[LimitTask] = NULL
    tss_limit_invalid: bool = False
    """``__tss_limit_invalid``: a VM exit lowered the cached limit."""


class LockdownGlobals(Globals):
    """State that exists once."""

    locked_down: bool = False
    """security_locked_down(LOCKDOWN_IOPORT), from v5.4 on."""


class LinuxTssLimit(LinuxDesign):
    """v4.11 and later: the TSS limit is reloaded lazily (b7ffc44d5b2e, b7ceaec112aa)."""

    no_limit_refresh: ClassVar[bool] = False
    no_forced_reload: ClassVar[bool] = False

    class Cpu(LimitCpu):
        """A CPU."""

    class Globals(LockdownGlobals):
        """State that exists once."""

    def vm_exit(self, cpu: LimitCpu, task: LimitTask) -> None:
        """Switch back to host state, as KVM's VMX code does after a VM exit."""
        self.invalidate_tss_limit(cpu)

    def invalidate_tss_limit(self, cpu: LimitCpu) -> None:
        """Note that the cached limit is too low.

        The kernel asserts here that preemption is off; in this system it always is. Current may
        return to user mode without a context switch, so its own limit is repaired at once.
        """
        if cpu.current.tif_io_bitmap and not self.no_forced_reload:
            self.force_reload_tr(cpu)
        else:
            cpu.tss_limit_invalid = True

    def refresh_tss_limit(self, cpu: LimitCpu) -> None:
        """Repair the cached limit if a VM exit lowered it (the same assertion as above)."""
        if self.no_limit_refresh:
            return
        if cpu.tss_limit_invalid:
            self.force_reload_tr(cpu)

    def force_reload_tr(self, cpu: LimitCpu) -> None:
        """Load TR again; marking the descriptor in the GDT as available is left out."""
        cpu.load_task_register()
        cpu.tss_limit_invalid = False


class ThreadIoplTask(LimitTask):
    """A task whose IOPL is also recorded in thread.iopl."""

    eflags_iopl: IoplLevel = 0
    """Bits 12-13 of the saved EFLAGS, which the return to user mode loads."""
    iopl: IoplLevel = 0
    """thread.iopl; unlike EFLAGS it is kept by execve(2)."""


class LinuxThreadIopl(LinuxTssLimit):
    """v5.4 up to the removal of real iopl in v5.5: iopl(2) sets the processor's IOPL."""

    class Task(ThreadIoplTask):
        """A task."""

    def iopl(self, cpu: LimitCpu, task: ThreadIoplTask, level: int) -> int:
        """Set the IOPL; only raising it needs a privilege.

        set_iopl_mask(), called last, does something on 32-bit and paravirt kernels only.
        """
        if level > MAX_IOPL:
            return -EINVAL
        if level > task.iopl and (not task.privileged or self.globals.locked_down):
            return -EPERM
        task.eflags_iopl = level
        task.iopl = level
        return 0

    def execve(self, cpu: LimitCpu, task: ThreadIoplTask) -> None:
        """Start the new program with fresh EFLAGS. thread.iopl and the map are not touched."""
        task.eflags_iopl = 0

    def iopl_in_force(self, cpu: LimitCpu, task: ThreadIoplTask) -> int:
        """Return the IOPL that the return to user mode loads."""
        return task.eflags_iopl

    iopl_needs_privilege: ClassVar[bool] = False
    """iopl() compares the level with thread.iopl, which outlives execve(2) though EFLAGS do not.

    So a task that ever had a level gets it again without CAP_SYS_RAWIO (docs/findings.md). The
    rest of these designs is judged without that rule.
    """
