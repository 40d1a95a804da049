"""linux-ecc7e37d: the merged form of patch 06, reachable by bisection, in no release."""

from __future__ import annotations

from iopermit.designs.linux.v2_06 import BitmapBlock, LinuxV2Patch06
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase
from iopermit.system.records import NULL


class LinuxEcc7e37d(LinuxV2Patch06):
    """ioperm writes the TSS in one region with preemption off, and sets the dirty mark.

    It still copies only max(new max, own old max), so B1 remains, and the mark it sets can be
    lower than what another task left: B2'. A useless turn-off allocates nothing.
    """

    id = "linux-ecc7e37d"
    title = "Switching out only moves the base past the limit (as merged, V3 08/20)"
    origin = "ecc7e37d4dadd16f6be125ca496feccd05454da4"

    def ioperm(
        self, cpu: LinuxV2Patch06.Cpu, task: LinuxV2Patch06.Task, ports: PortRange, turn_on: bool
    ) -> int:
        """Change the task's map, then the part of the TSS map that the task ever used."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        block = task.io_bitmap_ptr
        if block is NULL:
            if not turn_on:
                return 0
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
        with cpu.preemption_disabled():
            block.bitmap.change(ports, turn_on)
            longs = block.bitmap.extent(at_least=1)
            updated = max(longs, task.io_bitmap_max)
            task.io_bitmap_max = longs
            task.io_bitmap_ptr = block
            task.tif_io_bitmap = True
            cpu.tss.bitmap.copy_from(block.bitmap, updated)
            cpu.tss.prev_max = longs
            cpu.tss.io_map_base = IoMapBase.VALID
            self.refresh_tss_limit(cpu)
        return 0
