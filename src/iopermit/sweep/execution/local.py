"""Executes jobs on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from iopermit.sweep.execution.executor import ProcessExecutor
from iopermit.sweep.execution.process import run_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.sweep.execution.process import ProcessEnd
    from iopermit.sweep.jobs import Job


class LocalExecutor(ProcessExecutor):
    """Executes jobs, each in a process of its own on this machine."""

    def end_of(
        self, job: Job, arguments: Sequence[str], seconds: float | None
    ) -> ProcessEnd | None:
        """Run `iopermit check`, as this Python has it. Raises OSError."""
        del job
        command = [sys.executable, "-P", "-m", "iopermit", *arguments]
        return run_process(command, seconds, lambda: self.goes_on)
