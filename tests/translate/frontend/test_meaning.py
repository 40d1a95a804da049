"""Tests that the search gives statements the meaning that they have when a design is executed."""

from pathlib import Path
from typing import Final

import pytest

from iopermit.search.check import check
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

DESIGN: Final = '''
from typing import ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import Longs


class Small(Design):
    """Denies everything."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4

    class Task(machine_state.Task):
        """A task."""

        longs: Longs = 0
        map: Bitmap

    def bring_up(self, cpu) -> None:
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu, task, ports: PortRange, turn_on: bool) -> int:
        {body}
        return -EINVAL

    def refused(self, task) -> int:
        if task.privileged:
            return -EPERM
        return 0

    def iopl(self, cpu, task, wanted: int) -> int:
        {iopl}
        return -EINVAL

    def switch_to(self, cpu, previous, following) -> None:
        cpu.tss.io_map_base = IoMapBase.INVALID
'''

CRASHES: Final = {
    "a count that grows for long": """
        x = 0
        while x < 40:
            x = min(x + 1, 40)
        assert x < 30, "too many"
""",
    "an error number is negative": """
        error = self.refused(task)
        if error < 0:
            assert not task.privileged, "reached"
""",
}
HOLDS: Final = {
    "a count that grows for long ends where it is bounded": """
        x = 0
        while x < 40:
            x = min(x + 1, 40)
        assert x == 40, "another number"
""",
    "no error is not negative": """
        error = 0
        if error < 0:
            assert not task.privileged, "reached"
        if task.privileged:
            error = -EINVAL
""",
    "extent() is never less than its argument": """
        cpu.tss.bitmap.fill()
        task.map.fill()
        if ports.is_valid():
            task.map.change(ports, turn_on)
        extent = task.map.extent(at_least=2)
        assert extent >= 2, "at least two"
""",
}


def verdict(file: Path, body: str, longs: int, iopl: str = "pass") -> str:
    """Put statements into a design; return the verdict about it."""
    text = DESIGN.replace("{body}", body.strip()).replace("{iopl}", iopl.strip())
    file.write_text(text, encoding="utf-8")
    return check(load_design(str(file)), Scenario(1, 1, longs)).verdict


@pytest.mark.parametrize("case", CRASHES)
def test_crash_is_found(case: str, tmp_path: Path) -> None:
    """The search finds the crash that an execution of the statements has."""
    assert verdict(tmp_path / "small.py", CRASHES[case], 2) == "violated"


@pytest.mark.parametrize("case", HOLDS)
def test_no_crash_is_invented(case: str, tmp_path: Path) -> None:
    """The search finds no crash where an execution of the statements has none."""
    assert verdict(tmp_path / "small.py", HOLDS[case], 3) == "holds"


def test_a_variable_is_not_the_argument_that_is_called_alike(tmp_path: Path) -> None:
    """iopl(3) succeeds and is granted, though the hook sets a variable `level` of its own."""
    iopl = """
        level = 0
        if level == 0:
            return 0
"""
    assert verdict(tmp_path / "small.py", "pass", 1, iopl) == "violated"
