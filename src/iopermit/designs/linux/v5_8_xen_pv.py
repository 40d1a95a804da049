"""linux-5.8-xen-pv: v5.8 as a Xen PV guest, with the repair of XSA-329."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.linux.v5_5_xen_pv import Linux55XenPv
from iopermit.designs.linux.v5_8 import Linux58
from iopermit.system.machine_state import IoMapBase


class Linux58XenPv(Linux55XenPv, Linux58):
    """The hypervisor part of 5.5-xen-pv on the Linux code of 5.8; Xen is told of invalidation."""

    id = "linux-5.8-xen-pv"
    title = "v5.8 as Xen PV guest: Xen is told about switch-out too"
    origin = "cadfad870154e14f745ec845708bc17d166065f2"
    options: ClassVar[dict[str, str]] = {}

    def tss_invalidate_io_bitmap(  # type: ignore[override]  # its own CPUs
        self, cpu: Linux55XenPv.Cpu
    ) -> None:
        """Deny every port in the TSS, then with PHYSDEVOP_set_iobitmap(NULL, 0) in Xen."""
        self.native_tss_invalidate_io_bitmap(cpu)
        cpu.hypervisor_map = IoMapBase.INVALID
