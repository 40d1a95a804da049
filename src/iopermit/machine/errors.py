"""How system calls fail and wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class KernelError(Exception):
    """A system call fails with an error number."""

    def __init__(self, number: int) -> None:
        self.errno = number
        super().__init__(number)


class Blocked(Exception):  # noqa: N818 - not an error: the task has to wait
    """A system call cannot go on now; it is made again when `ready` returns true."""

    def __init__(
        self,
        ready: Callable[[], bool],
        *,
        deadline: int | None = None,
        host: bool = False,
        on_signal: int | None = None,
    ) -> None:
        """Wait.

        Args:
            ready: whether the call is to be made again.
            deadline: virtual time in nanoseconds at which it is made again at the latest.
            host: whether only the host can make it ready.
            on_signal: the result if a signal handler runs meanwhile; None: the call is made
                again or fails with EINTR, as SA_RESTART says.
        """
        self.ready, self.deadline, self.host, self.on_signal = ready, deadline, host, on_signal
        super().__init__()


class MachineError(Exception):
    """The machine cannot go on: a limit of iopermit, or a crash of the design."""
