"""linux-2.4.20: ioperm makes the base valid without copying the map (CVE-2003-0246)."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import MAP_EQUALS_CURRENT
from iopermit.designs.linux.base import LAYOUT_2_4, EflagsTask, LinuxEflagsIopl, OwnTss
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, Ref


class Linux2420(LinuxEflagsIopl):
    """The map is inside the task structure and covers 1024 ports; the kernel is not preemptible.

    The first ioperm call makes the base valid but writes only the requested bits to the TSS
    map: B12. The map, but for its first word, and the terminator start as zeros: X1 (read in
    2.4.18, not compared with 2.4.20). exec keeps the map.
    """

    id = "linux-2.4.20"
    title = "ioperm makes the base valid without copying the map"
    origin = "CVE-2003-0246"
    family = MAP_EQUALS_CURRENT
    preemptible: ClassVar[bool] = False
    cpu_hotplug: ClassVar[bool] = False  # i386 has it from 2.6.13 on (from memory)
    layout: ClassVar[TssLayout] = LAYOUT_2_4
    IO_BITMAP_BITS: ClassVar[int] = 1024

    class Task(EflagsTask):
        """A task; fork copies all of it."""

        ioperm: bool = False
        """Whether the task uses its map."""
        io_bitmap: Bitmap

    class Tss(machine_state.Tss):
        """The TSS of a CPU."""

        terminator_denied: bool = False
        """Whether the word behind the map has ones, as the processor manuals demand."""

    class Cpu(machine_state.Cpu):
        """A CPU."""

        current: Ref[Linux2420.Task] = NULL
        tss: OwnTss[Linux2420.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Initialise the first word of the map; the initialiser names no other (X1)."""
        cpu.tss.bitmap.fill(1)

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the same bits of the task's map and of the TSS map, which may be another's."""
        if not ports.is_valid(self.IO_BITMAP_BITS):
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        if not task.ioperm:
            task.io_bitmap.fill()
            task.ioperm = True
            cpu.tss.io_map_base = IoMapBase.VALID
        task.io_bitmap.change(ports, turn_on)
        cpu.tss.bitmap.change(ports, turn_on)
        return 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy the following task's map (never the terminator), or invalidate."""
        if not previous.ioperm and not following.ioperm:
            return
        if following.ioperm:
            cpu.tss.bitmap.copy_from(following.io_bitmap)
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def ports_beyond_map_allowed(self, cpu: Cpu) -> bool:
        """Return whether the zeros behind the map open ports 0x400 to 0x417."""
        return not cpu.tss.terminator_denied
