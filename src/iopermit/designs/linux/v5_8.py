"""linux-5.8: as 5.7, in the generic entry code."""

from __future__ import annotations

from iopermit.designs.linux.v5_7 import Linux57


class Linux58(Linux57):
    """The protocol of v5.7. Natively, only the places of the calls changed.

    The exit-to-user test moved to arch_exit_to_user_mode_prepare(), under the same conditions,
    and the invalidation became a paravirt operation.
    """

    id = "linux-5.8"
    title = "As v5.7, called from the generic entry code"
    origin = "v5.8, arch_exit_to_user_mode_prepare()"
