"""Becomes a command that ends when the process ends that started it: python -m ... PID COMMAND."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
"""prctl(2); what it sets stays when the process executes another program."""


def main(parent: str, *command: str) -> NoReturn:
    """Execute a command, to which the kernel sends SIGTERM when its parent ends.

    Args:
        parent: the number of the process that it is bound to.
        command: an absolute path, and arguments.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        # It has ended before this process could be bound to it.
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - there is no shell to be had


if __name__ == "__main__":
    main(*sys.argv[1:])
