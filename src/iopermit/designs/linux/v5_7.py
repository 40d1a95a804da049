"""linux-5.7: giving a map up takes a task argument, so that a failed fork hurts nobody."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.linux.base import MAX_IOPL
from iopermit.designs.linux.v5_5 import Linux55
from iopermit.system.records import NULL


class Linux57(Linux55):
    """io_bitmap_exit() works on the task it is given, which cures B9.

    It updates the TSS for current, though. A kernel thread that inherited the flag without a
    map then follows a NULL pointer when its own fork fails: B10.
    """

    id = "linux-5.7"
    title = "As v5.5, with io_bitmap_exit(tsk)"
    origin = "4bfe6cce133cad82cea04490c308795275857782"
    options: ClassVar[dict[str, str]] = {}

    def io_bitmap_exit(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Take the map away from ``tsk``."""
        iobm = tsk.io_bitmap
        tsk.io_bitmap = NULL
        self.task_update_io_bitmap(cpu, tsk)
        self.io_bitmap_put(iobm)

    def task_update_io_bitmap(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Let TIF_IO_BITMAP of ``tsk`` follow its permissions; the TSS update is current's."""
        if tsk.iopl_emul == MAX_IOPL or tsk.io_bitmap is not NULL:
            tsk.tif_io_bitmap = True
        else:
            tsk.tif_io_bitmap = False
            with cpu.preemption_disabled():
                self.tss_update_io_bitmap(cpu)
