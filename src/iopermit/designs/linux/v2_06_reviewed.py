"""linux-v2-06-reviewed: patch V2 06/16 with the two remedies of its review, and a variant."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.linux.v2_06 import BitmapBlock, LinuxV2Patch06
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase
from iopermit.system.records import NULL


class LinuxV2Patch06Reviewed(LinuxV2Patch06):
    """ioperm copies the whole map, with preemption off from making the base valid until then.

    Never posted in this exact form. Neither remedy raises the dirty mark: B2 remains.
    """

    id = "linux-v2-06-reviewed"
    title = "Patch V2 06/16 with the reviewer's two remedies"
    origin = "CALCETrUcY_DhZC8CH0NhoRp_r6mh4v1Z2dmhsdErV8wx6FsLaw@mail.gmail.com"
    raises_prev_max: ClassVar[bool] = False

    def ioperm(
        self, cpu: LinuxV2Patch06.Cpu, task: LinuxV2Patch06.Task, ports: PortRange, turn_on: bool
    ) -> int:
        """Change the task's map, and copy all of it to the TSS."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        block = task.io_bitmap_ptr
        if block is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
        with cpu.preemption_disabled():
            if task.io_bitmap_ptr is NULL:
                task.io_bitmap_ptr = block
                task.tif_io_bitmap = True
                cpu.tss.io_map_base = IoMapBase.VALID
                self.refresh_tss_limit(cpu)
            block.bitmap.change(ports, turn_on)
            task.io_bitmap_max = block.bitmap.extent(at_least=1)
            cpu.tss.bitmap.copy_from(block.bitmap)
            if self.raises_prev_max:
                cpu.tss.prev_max = task.io_bitmap_max
        return 0


class LinuxV2Patch06ReviewedPrevMax(LinuxV2Patch06Reviewed):
    """ioperm also stores the dirty mark, which cures B2."""

    id = "linux-v2-06-reviewed+prev_max"
    title = "Patch V2 06/16 with the reviewer's two remedies and the dirty mark kept right"
    origin = "derived from the review; never posted"
    raises_prev_max: ClassVar[bool] = True
