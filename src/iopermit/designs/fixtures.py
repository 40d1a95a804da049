"""Fixtures: faults that no stage of Linux shows by itself, each as a small design."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import HYPERVISOR_READS_MAP
from iopermit.designs.linux.base import MAX_IOPL, EflagsTask
from iopermit.designs.linux.v2_6_8 import Linux268
from iopermit.system.design import EINVAL, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import IoplLevel


class FixtureTssLimit(Linux268):
    """linux-2.6.8 on x86-64 with 1024 ports and a limit that covers the whole tss_struct: B13.

    Map: offsets 104 to 231. Terminator: 232 to 239, where the limit should end. The structure
    is taken to be 256 bytes, four cache lines, and its last 16 bytes are zeros: a port whose two
    bytes are in 240 to 255 is open to every task with a map.
    """

    id = "fixture-tss-limit"
    title = "The TSS limit covers zero bytes behind a map of 1024 ports"
    origin = "CVE-2005-0204"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64,
        bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000},
        limit=255,
        map_ports=1024,
        size=256,
    )
    IO_BITMAP_BITS: ClassVar[int] = 1024

    def ports_beyond_map_allowed(self, cpu: Linux268.Cpu) -> bool:
        """Return that the zeros open ports."""
        return True


class FixtureXenIopl(Linux268):
    """A Xen PV guest whose context switch leaves the virtual IOPL of the vCPU as it is: B17.

    Everything else is as in linux-2.6.8, so that the IOPL is the only fault.
    """

    id = "fixture-xen-iopl"
    title = "The virtual IOPL of a Xen vCPU is not switched with the task"
    origin = "XSA-171, CVE-2016-3157"
    family = HYPERVISOR_READS_MAP

    class Cpu(Linux268.Cpu):
        """A virtual CPU."""

        virtual_iopl: IoplLevel = 0
        """The IOPL that Xen gives to guest user code (PHYSDEVOP_set_iopl)."""

    def iopl(  # type: ignore[override]  # its own CPUs
        self, cpu: Cpu, task: EflagsTask, level: int
    ) -> int:
        """Set the IOPL in the saved flags, which Xen ignores, and tell Xen."""
        if level > MAX_IOPL:
            return -EINVAL
        if level > task.eflags_iopl and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            task.eflags_iopl = level
            cpu.virtual_iopl = level
        return 0

    def iopl_in_force(  # type: ignore[override]  # its own CPUs
        self, cpu: Cpu, task: EflagsTask
    ) -> int:
        """Return the virtual IOPL, whoever set it."""
        return cpu.virtual_iopl
