"""linux-5.5-xen-pv: v5.5 as a Xen PV guest, whose switch-out Xen is not told about."""

from __future__ import annotations

from typing import Any, ClassVar

from iopermit.designs.families import HYPERVISOR_READS_MAP
from iopermit.designs.linux.v5_5 import Linux55
from iopermit.system.machine_state import IoMapBase


class Linux55XenPv(Linux55):
    """Xen reads the guest's map through a pointer that PHYSDEVOP_set_iobitmap stores.

    Only the update tells Xen, not the invalidation at switch-out: B8 (XSA-329). Xen ignores
    base and limit of the guest's TSS. The Linux part is that of v5.5, with B9.
    """

    id = "linux-5.5-xen-pv"
    title = "v5.5 as Xen PV guest: Xen is told about updates but not about switch-out"
    origin = "99bcd4a6e5b8ba201fdd252f1054689884899fee; XSA-329, CVE-2020-15852"
    family = HYPERVISOR_READS_MAP
    options: ClassVar[dict[str, str]] = {
        "no_update_hypercall": "Xen is never told about the map (B7, before 99bcd4a6e5b8)",
    }
    no_update_hypercall: ClassVar[bool] = False

    # A PV guest runs no VMX, so nothing calls invalidate_tss_limit().
    vm_exit: Any = None

    class Cpu(Linux55.Cpu):
        """A virtual CPU."""

        hypervisor_map: IoMapBase = IoMapBase.INVALID
        """Where Xen's pointer, TSS address plus base, points; INVALID also means 0 ports.

        A CPU that comes up again tells Xen nothing: it keeps the pointer that it had.
        """

    def tss_update_io_bitmap(self, cpu: Cpu) -> None:  # type: ignore[override]  # its own CPUs
        """Make the TSS match current's permissions, then tell Xen (cpu.update_io_bitmap)."""
        self.native_tss_update_io_bitmap(cpu)
        if not self.no_update_hypercall:
            self.physdevop_set_iobitmap(cpu)

    def physdevop_set_iobitmap(self, cpu: Cpu) -> None:
        """Tell Xen where the map is: 65536 ports at the base, or 0 ports if it is invalid."""
        cpu.hypervisor_map = cpu.tss.io_map_base

    def map_in_force(self, cpu: Cpu) -> IoMapBase:
        """Return the map that Xen reads when an access traps to it."""
        return cpu.hypervisor_map

    def limit_covers_map(self, cpu: Cpu) -> bool:
        """Return that no TSS limit restricts Xen."""
        return True
