"""linux-2.6.10 and its earlier forms L1 and L2: the #GP handler loads the map."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import LOAD_ON_FAULT
from iopermit.designs.linux.base import LAYOUT_2_6_10
from iopermit.designs.linux.v2_6_9 import BitmapBlock, Linux269
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL


class Linux2610L1(Linux269):
    """A base value past the limit, LAZY, tells the #GP handler that current has a map.

    In this form, seen in 2.6.12-rc2, nothing ever stores the owner. Fork and exit are those
    of 2.6.9. Later kernels of this stage test the thread flag instead of the pointer.
    """

    id = "linux-2.6.10-L1"
    title = "Lazy load on #GP; the owner is never stored"
    origin = "2.6.12-rc2, arch/i386/kernel/traps.c"
    family = LOAD_ON_FAULT
    layout: ClassVar[TssLayout] = LAYOUT_2_6_10
    gp_stores_owner: ClassVar[bool] = False
    ioperm_resets_owner: ClassVar[bool] = False

    def ioperm(
        self, cpu: Linux269.Cpu, task: Linux269.Task, ports: PortRange, turn_on: bool
    ) -> int:
        """Change the task's map and let the next access fault."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        if task.io_bitmap_ptr is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
            task.io_bitmap_ptr = block
        with cpu.preemption_disabled():
            task.io_bitmap_ptr.bitmap.change(ports, turn_on)
            task.io_bitmap_max = task.io_bitmap_ptr.bitmap.extent(at_least=1)
            cpu.tss.io_map_base = IoMapBase.LAZY
            if self.ioperm_resets_owner:
                cpu.tss.owner = NULL
        return 0

    def switch_to(
        self, cpu: Linux269.Cpu, previous: Linux269.Task, following: Linux269.Task
    ) -> None:
        """Only choose the base."""
        if previous.io_bitmap_ptr is NULL and following.io_bitmap_ptr is NULL:
            return
        if following.io_bitmap_ptr is NULL:
            cpu.tss.io_map_base = IoMapBase.INVALID
        elif following is cpu.tss.owner:
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.LAZY

    def general_protection(self, cpu: Linux269.Cpu, task: Linux269.Task) -> bool:
        """Load the map if it was not loaded, and return whether to try the instruction again.

        The kernel copies max longs and then fills the rest of what was dirty. Filling all of
        the dirty part first leaves the same map, and this CPU cannot read it in between.
        """
        with cpu.preemption_disabled():
            if cpu.tss.io_map_base == IoMapBase.LAZY and task.io_bitmap_ptr is not NULL:
                if task.io_bitmap_max < cpu.tss.max:
                    cpu.tss.bitmap.fill(cpu.tss.max)
                cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, task.io_bitmap_max)
                cpu.tss.max = task.io_bitmap_max
                cpu.tss.io_map_base = IoMapBase.VALID
                if self.gp_stores_owner:
                    cpu.tss.owner = task
                return True
        return False


class Linux2610L2(Linux2610L1):
    """The handler stores the owner, but ioperm does not reset it: X2.

    Posted; whether a release had it is unverified.
    """

    id = "linux-2.6.10-L2"
    title = "Lazy load on #GP; the handler stores the owner"
    origin = "Pine.LNX.4.62.0509172239570.3423@enm-bo-lt.localnet"
    gp_stores_owner: ClassVar[bool] = True


class Linux2610(Linux2610L2):
    """The handler stores the owner and ioperm resets it, on its own CPU only: B15 (i), (ii).

    The form of the 2.6.20 and 2.6.27 era; i386 only, removed in 2.6.30. Whether the lazy load
    first appeared in 2.6.9 or 2.6.10 is unverified.
    """

    id = "linux-2.6.10"
    title = "Lazy load on #GP; ioperm resets the owner (form L3)"
    origin = "removed by db949bba3c7cf2e664ac12e237c6d4c914f0c69d"
    ioperm_resets_owner: ClassVar[bool] = True
