"""How a tree tells Xen of the map, told from its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.made_trees import make_tree

from iopermit.kernel.build.configuration import CONFIGURATIONS
from iopermit.kernel.build.plan import XEN_SHIM, plan_build
from iopermit.kernel.build.source import Source
from iopermit.kernel.build.xen import XenOperations, detect_xen
from iopermit.kernel.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

TYPES = "arch/x86/include/asm/paravirt_types.h"
GUEST = "arch/x86/xen/enlighten_pv.c"
BOTH = (
    "struct pv_cpu_ops {\n\tvoid (*invalidate_io_bitmap)(void);\n\tvoid (*update_io_bitmap)(void);"
)
TABLE = "static const {} xen_cpu_ops __initconst = {{\n\t.update_io_bitmap = xen_update,\n}};\n"


def guest(tmp_path: Path, text: str, types: str = BOTH) -> XenOperations:
    """Return what is found in a tree of these two files."""
    return detect_xen(Source(tmp_path, {TYPES: types.encode(), GUEST: text.encode()}))


@pytest.mark.parametrize(
    ("declared", "table"),
    [("struct pv_cpu_ops", "xen_cpu_ops"), ("typeof(pv_ops)", "xen_cpu_ops.cpu")],
)
def test_a_table_is_copied(tmp_path: Path, declared: str, table: str) -> None:
    """The table is one of the operations of a CPU (before v5.18), or of all of them."""
    found = guest(tmp_path, TABLE.format(declared))
    assert found == XenOperations(table, invalidates=True)
    assert f"-DIOPERMIT_XEN_OPERATIONS={table}" in found.macros()


def test_operations_are_assigned_one_by_one(tmp_path: Path) -> None:
    """Where there is no table (v7.2), the functions are those that are assigned."""
    found = guest(
        tmp_path,
        "pv_ops.cpu.update_io_bitmap = xen_one;\npv_ops.cpu.invalidate_io_bitmap = xen_two;\n",
    )
    assert found.macros() == [
        "-DIOPERMIT_HAS_INVALIDATE_IO_BITMAP",
        "-DIOPERMIT_XEN_UPDATE_IO_BITMAP=xen_one",
        "-DIOPERMIT_XEN_INVALIDATE_IO_BITMAP=xen_two",
    ]


def test_switching_out_may_be_no_operation(tmp_path: Path) -> None:
    """Before XSA-329 was repaired there is no operation for it, which the shim is not told of."""
    found = guest(tmp_path, TABLE.format("struct pv_cpu_ops"), "void (*update_io_bitmap)(void);")
    assert not found.invalidates
    assert found.macros() == ["-DIOPERMIT_XEN_OPERATIONS=xen_cpu_ops"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "neither the table xen_cpu_ops nor an assignment"),
        ("/* pv_ops.cpu.update_io_bitmap = xen_one; */", "neither the table"),
        ("pv_ops.cpu.update_io_bitmap = a;\npv_ops.cpu.update_io_bitmap = b;", "it assigns a, b"),
        ("pv_ops.cpu.update_io_bitmap = one ? a : b;", "Assign it once, by name"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """An operation that nothing registers, or one of several functions, is no guess of ours."""
    with pytest.raises(BuildError, match=says):
        guest(tmp_path, text)


def test_a_tree_without_the_operation_is_refused(tmp_path: Path) -> None:
    """The message names the tree, what it lacks, and what to do; without Xen it is no matter."""
    tree = make_tree(tmp_path / "linux", (5, 4, 0))
    with pytest.raises(BuildError, match=r"update_io_bitmap.*another --config") as refused:
        plan_build(tree, (), configuration=CONFIGURATIONS["xen"])
    assert str(tree) in str(refused.value)
    assert XEN_SHIM not in plan_build(tree, ()).required
