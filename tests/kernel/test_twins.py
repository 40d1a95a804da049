"""The design of the Debian trees' protocol and the trees themselves get the same verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.checking import EVERYTHING, KINDS, SMALL, verdict
from tests.support.kernel.faults import FAULTS

from iopermit.search.check import check
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.mutate import mutations

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.system.design import Design

TWINS = {
    "own-extent": (
        "tss_select_io_bitmap",
        "cpu.tss.bitmap.copy_from(iobm.bitmap, max(cpu.tss.prev_max, iobm.max))",
        "iobm.max instead of max(cpu.tss.prev_max, iobm.max)",
    ),
    "sequence-kept": ("ioperm", "iobm.sequence = self.next_sequence()", "removed"),
    "switch-out": ("switch_to", "self.tss_invalidate_io_bitmap(cpu)", "removed"),
    "write-shared": ("ioperm", "if iobm.refcnt > 1:", "never"),
    "flag-only": ("task_update_io_bitmap", "self.tss_update_io_bitmap(cpu)", "removed"),
}
"""For faults that are mutations of the repaired design: method, statement, change."""

WRITTEN = {
    "copied-count": """
    no_refcnt_reset = True
""",
    "extent-first": '''
    def tss_select_io_bitmap(self, cpu: Linux55.Cpu) -> None:
        """Store the new extent before the copy."""
        iobm = cpu.current.io_bitmap
        if cpu.tss.prev_sequence != iobm.sequence:
            cpu.tss.prev_max = iobm.max
            cpu.tss.bitmap.copy_from(iobm.bitmap, max(cpu.tss.prev_max, iobm.max))
            cpu.tss.prev_sequence = iobm.sequence
        cpu.tss.io_map_base = IoMapBase.VALID
''',
    "exit-current": '''
    def io_bitmap_exit(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Take the map away from current."""
        iobm = cpu.current.io_bitmap
        cpu.current.io_bitmap = NULL
        if tsk is cpu.current:
            self.task_update_io_bitmap(cpu, tsk)
        self.io_bitmap_put(iobm)
''',
}
"""For the others: what a class derived from the repaired design overrides."""
_HEAD = '''"""A twin of a planted fault."""

from __future__ import annotations

from iopermit.designs.linux.v5_5 import *
from iopermit.designs.linux.v6_16 import *
from iopermit.designs.linux.v6_16 import Linux616PreemptOff
from iopermit.system.machine_state import IoMapBase
from iopermit.system.records import NULL


class Mutant(Linux616PreemptOff):
    id = "linux-6.16+preempt_off-twin"
'''


def twin(name: str, directory: Path) -> type[Design]:
    """Return the repaired design with the same fault."""
    file = directory / "twin.py"
    if name in WRITTEN:
        file.write_text(_HEAD + WRITTEN[name])
    else:
        known = mutations(load_design("linux-6.16+preempt_off"))
        next(mutation for mutation in known if mutation.key == TWINS[name]).write(file)
    return load_design(f"{file}:Mutant")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_of_the_same_kind_in_the_design_and_in_the_tree(
    name: str, tmp_path: Path
) -> None:
    """The design with the twin shows the violation that test_check finds in the tree."""
    # Some faults have two shortest schedules of different kinds: ports added to a shared map leak,
    # ports taken from it are lost.
    every = name == "write-shared"
    found = check(twin(name, tmp_path), SMALL, every=every)
    kinds = {one.violation.kind for one in (found, *found.also) if one.violation is not None}
    assert KINDS[name] in kinds
    assert len(kinds) == 1 or every


def test_the_design_and_the_trees_as_they_stand_leak_in_the_same_way() -> None:
    """linux-6.16 and Debian's 6.1 leak the same ports to a task that was granted none."""
    of_tree = verdict("6.1", "", EVERYTHING).violation
    of_design = check(load_design("linux-6.16"), EVERYTHING).violation
    assert of_tree is not None
    assert of_design is not None
    assert (of_tree.kind, of_tree.ports, of_tree.granted) == ("leak", ((0, 65535),), ())
    assert of_design.kind == "leak"


def test_the_repaired_design_and_the_repaired_tree_hold() -> None:
    """Under every event both are searched to the end."""
    of_design = check(load_design("linux-6.16+preempt_off"), EVERYTHING)
    assert (verdict("6.1", "repair", EVERYTHING).verdict, of_design.verdict) == ("holds", "holds")
