"""The smallest change to patch V2 06/16 that holds under plain events, and its two halves.

iopermit check examples/smallest_change.py:SmallestChange --events plain
iopermit check examples/smallest_change.py:OnlyStored
iopermit check examples/smallest_change.py:OnlyCopied
"""

from __future__ import annotations

from iopermit.designs.linux.v2_06 import BitmapBlock, LinuxV2Patch06
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import Cpu, IoMapBase
from iopermit.system.records import NULL


class SmallestChange(LinuxV2Patch06):
    """ioperm copies up to the dirty mark too, and stores it."""

    id = "v2-06-smallest-change"
    title = "Patch V2 06/16; ioperm copies up to the dirty mark and stores it"
    copies_to_mark = True
    stores_mark = True

    def ioperm(self, cpu: Cpu, task: LinuxV2Patch06.Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then what may be dirty of the TSS map."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        if task.io_bitmap_ptr is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
            with cpu.preemption_disabled():
                task.io_bitmap_ptr = block
                task.tif_io_bitmap = True
                cpu.tss.io_map_base = IoMapBase.VALID
                self.refresh_tss_limit(cpu)
        with cpu.preemption_disabled():
            task.io_bitmap_ptr.bitmap.change(ports, turn_on)
            longs = task.io_bitmap_ptr.bitmap.extent(at_least=1)
            updated = max(longs, task.io_bitmap_max)
            if self.copies_to_mark:
                updated = max(updated, cpu.tss.prev_max)
            task.io_bitmap_max = longs
            cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, updated)
            if self.stores_mark:
                cpu.tss.prev_max = longs
        return 0


class OnlyStored(SmallestChange):
    """The mark is stored, but ioperm does not copy up to it."""

    id = "v2-06-only-stored"
    copies_to_mark = False


class OnlyCopied(SmallestChange):
    """ioperm copies up to the mark, but does not store it."""

    id = "v2-06-only-copied"
    stores_mark = False
