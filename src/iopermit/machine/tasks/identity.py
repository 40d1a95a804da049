"""The ids of a task in the form that a new program gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.machine.program.elf import Identity

if TYPE_CHECKING:
    from iopermit.machine.tasks.process import Credentials


def identity(credentials: Credentials) -> Identity:
    """Return the ids that the auxiliary vector tells."""
    return Identity(credentials.uid, credentials.euid, credentials.gid, credentials.egid)
