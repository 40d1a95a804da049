"""Finds out how a tree, as a Xen PV guest, tells the hypervisor of the I/O permission bitmap."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.kernel.build.source import Source

_OPERATIONS: Final = "arch/x86/include/asm/paravirt_types.h"
_GUEST: Final = "arch/x86/xen/enlighten_pv.c"
_UPDATE: Final = "update_io_bitmap"
_INVALIDATE: Final = "invalidate_io_bitmap"
_TABLE: Final = re.compile(
    r"(?:struct\s++pv_cpu_ops|(?P<whole>typeof\(pv_ops\)))\s++xen_cpu_ops\b[^;=]*+="
)


@dataclass(frozen=True)
class XenOperations:
    """How a tree registers the paravirtual operations that concern the map.

    Attributes:
        table: The table of operations that it copies, as C; empty if it assigns each (v7.2).
        invalidates: Whether switching a task out is an operation, too (v5.8, XSA-329).
        assigned: The functions that are assigned one by one, by the operation.
    """

    table: str
    invalidates: bool
    assigned: Mapping[str, str] = field(default_factory=dict)

    def macros(self) -> list[str]:
        """Return the compiler options that tell the shim."""
        table = [f"-DIOPERMIT_XEN_OPERATIONS={self.table}"] if self.table else []
        has = [f"-DIOPERMIT_HAS_{_INVALIDATE.upper()}"] if self.invalidates else []
        one_by_one = [f"-DIOPERMIT_XEN_{name.upper()}={f}" for name, f in self.assigned.items()]
        return [*table, *has, *one_by_one]


def detect_xen(source: Source) -> XenOperations:
    """Look for what the shim needs to know.

    Raises:
        BuildError: The tree tells Xen nothing of the map, or in a way that is not known.
    """
    operations, text = source.code(_OPERATIONS), source.code(_GUEST)
    if not re.search(rf"\(\*{_UPDATE}\)", operations):
        raise BuildError(
            f"{source.tree}: --config xen needs the paravirtual operation {_UPDATE}, by which a "
            f"Xen PV guest tells the hypervisor of the map (since Linux 5.6); {_OPERATIONS} has "
            "none. Check the tree with another --config"
        )
    known = (_UPDATE, _INVALIDATE)
    assigned = {name: function for name in known if (function := _assigned(source, text, name))}
    table = _TABLE.search(text)
    if table is None and _UPDATE not in assigned:
        raise BuildError(
            f"{source.tree}: --config xen finds nothing in {_GUEST} that registers the operation "
            f"{_UPDATE}: neither the table xen_cpu_ops nor an assignment to pv_ops.cpu.{_UPDATE}. "
            "Report it, with the kernel's version, or check the tree with another --config"
        )
    invalidates = re.search(rf"\(\*{_INVALIDATE}\)", operations) is not None
    name = "" if table is None else "xen_cpu_ops.cpu" if table["whole"] else "xen_cpu_ops"
    return XenOperations(name, invalidates, assigned)


def _assigned(source: Source, text: str, operation: str) -> str:
    """Return the function that is assigned to an operation of pv_ops; empty if none is."""
    found = re.findall(rf"\bpv_ops\.cpu\.{operation}\s*+=\s*+([^;]*+);", text)
    functions = [one.strip() for one in found]
    if len(functions) > 1 or not all(re.fullmatch(r"\w+", one) for one in functions):
        raise BuildError(
            f"{source.tree}: --config xen expects that {_GUEST} assigns one function to "
            f"pv_ops.cpu.{operation}; it assigns {', '.join(functions)}. Assign it once, by name"
        )
    return functions[0] if functions else ""
