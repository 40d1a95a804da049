"""A design that crashes when a task ends."""

from iopermit.designs.linux.v6_16 import Linux616
from iopermit.system.machine_state import Cpu, Task


class Crashing(Linux616):
    """An assertion fails at the first exit."""

    id = "crashing"
    title = "Crashes"

    def exit(self, cpu: Cpu, task: Task) -> None:  # noqa: ARG002 - the hook has it
        """Fail."""
        assert not task.privileged, "a task ends"
