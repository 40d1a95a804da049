"""A design that keeps more objects for a task than the model has room for."""

from iopermit.designs.linux.v5_4 import Linux54
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import ENOMEM
from iopermit.system.machine_state import Cpu
from iopermit.system.records import NULL, HeapObject, Ref


class Block(HeapObject):
    """Memory."""

    bitmap: Bitmap


class Hoarding(Linux54):
    """Each ioperm() takes one more block; no port is ever opened, and none is granted."""

    id = "hoarding"
    title = "Keeps three blocks for a task"

    class Task(Linux54.Task):
        """A task."""

        first: Ref[Block] = NULL
        second: Ref[Block] = NULL
        third: Ref[Block] = NULL

    def ioperm(  # type: ignore[override]  # its own tasks
        self,
        cpu: Cpu,  # noqa: ARG002 - the hook has it
        task: Task,
        ports: PortRange,  # noqa: ARG002 - as above
        turn_on: bool,  # noqa: ARG002 - as above
    ) -> int:
        """Fail always, but keep a block."""
        block = self.allocate(Block)
        if block is NULL:
            return -ENOMEM
        if task.first is NULL:
            task.first = block
            return -ENOMEM
        if task.second is NULL:
            task.second = block
            return -ENOMEM
        task.third = block
        return -ENOMEM
