"""Faults of a Xen PV guest, which has to tell the hypervisor of the map, and harmless edits."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.support.kernel.planted.fault import PlantedFault, planted

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

GUEST: Final = "arch/x86/xen/enlighten_pv.c"
_HYPERCALL: Final = r"\n\tHYPERVISOR_physdev_op\(PHYSDEVOP_set_iobitmap, &iobitmap\);"
_INVALIDATED: Final = r"(native_tss_invalidate_io_bitmap\(\);)"
_SWITCHES: Final = Scenario(1, 2, 2, frozenset({Event.IOPERM}))


def _as_guest(fault: PlantedFault) -> PlantedFault:
    return replace(fault, configuration="xen", versions=("6.12",))


XEN_FAULTS: Final[dict[str, PlantedFault]] = {
    "xen-not-told-of-the-switch": _as_guest(
        planted(
            "do not tell Xen that the task is switched out",
            "leak",
            "xen_invalidate_io_bitmap",
            (GUEST, rf"{_INVALIDATED}{_HYPERCALL}", r"\1"),
            scenario=_SWITCHES,
            source="B8",
        )
    ),
    "xen-switch-is-native": _as_guest(
        planted(
            "register no operation of Xen's for switching a task out",
            "leak",
            "",
            (
                GUEST,
                r"(\.invalidate_io_bitmap = )xen_invalidate_io_bitmap,",
                r"\1native_tss_invalidate_io_bitmap,",
            ),
            scenario=_SWITCHES,
            source="B8",
        )
    ),
    "xen-never-told": _as_guest(
        planted(
            "update the TSS, and do not tell Xen",
            "loss",
            "xen_update_io_bitmap",
            (GUEST, rf"(nr_ports = IO_BITMAP_BITS;\n){_HYPERCALL}", r"\1"),
            source="B7",
        )
    ),
    "xen-update-is-native": _as_guest(
        planted(
            "register no operation of Xen's for updating the map",
            "loss",
            "",
            (
                GUEST,
                r"(\.update_io_bitmap = )xen_update_io_bitmap,",
                r"\1native_tss_update_io_bitmap,",
            ),
            source="B7",
        )
    ),
    "xen-told-too-few-ports": _as_guest(
        planted(
            "tell Xen of a map without the last long",
            "loss",
            "xen_update_io_bitmap",
            (GUEST, r"nr_ports = IO_BITMAP_BITS;", "nr_ports = IO_BITMAP_BITS - BITS_PER_LONG;"),
        )
    ),
    "xen-told-too-early": _as_guest(
        planted(
            "look at the base before the TSS is updated",
            "loss",
            "xen_update_io_bitmap",
            (
                GUEST,
                (
                    r"(struct tss_struct \*tss = this_cpu_ptr\(&cpu_tss_rw\);\n)"
                    r"\n\tnative_tss_update_io_bitmap\(\);\n(.*?nr_ports = IO_BITMAP_BITS;\n)"
                ),
                r"\1\n\2\n\tnative_tss_update_io_bitmap();",
            ),
        )
    ),
    "xen-told-twice": _as_guest(
        planted(
            "tell Xen twice that the task is switched out",
            "holds",
            "xen_invalidate_io_bitmap",
            (GUEST, rf"{_INVALIDATED}({_HYPERCALL})", r"\1\2\2"),
            scenario=_SWITCHES,
        )
    ),
    "xen-told-before-the-tss": _as_guest(
        planted(
            "tell Xen first that the task is switched out, and write to the TSS then",
            "holds",
            "xen_invalidate_io_bitmap",
            (GUEST, rf"\n\t{_INVALIDATED}({_HYPERCALL})", r"\2\n\t\1"),
            scenario=_SWITCHES,
        )
    ),
}
