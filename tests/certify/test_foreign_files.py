"""Tests that what a design's file does when it is imported harms no verification."""

from pathlib import Path
from typing import Final

import pytest
from tests.support.certify.certificates import certificate, scenario

from iopermit.certify.checker import certify
from iopermit.certify.errors import UnacceptableError
from iopermit.cli import main
from iopermit.system.scenario import Scenario

SMALL: Final[Scenario] = scenario(1, 1, 1, "ioperm,exit")
DESIGN: Final = '''
from typing import ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system import machine_state
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EPERM, Design
from iopermit.system.machine_state import Cpu, TssLayout
{first}

class Small(Design):
    """Denies everything."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4

    class Task(machine_state.Task):
        """A task with a field that is called as the checker's own for objects on the heap."""

        in_use: bool = False

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Refuse."""
        {statement}
        task.in_use = True
        return -EPERM

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Look at the task that comes."""
        if following.in_use:
            following.in_use = False
'''


def written(folder: Path, first: str = "", statement: str = "pass") -> Path:
    """Write a design and its certificate; return the certificate's file."""
    design = folder / "small.py"
    design.write_text(DESIGN.format(first=first, statement=statement), encoding="utf-8")
    certificate(folder / "it", str(design), SMALL)
    return folder / "it"


@pytest.mark.parametrize(
    "first",
    [
        "import sys; sys.stdout = None",
        "import sys; sys.stdout.close()",
        "import sys; sys.setrecursionlimit(400)",
        "import os; os.chdir('/')",
        "__file__ = 5",
    ],
)
def test_what_a_file_does_to_the_process_is_undone(
    first: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that closes streams, sets limits or changes directory is verified all the same."""
    assert main(["certify", str(written(tmp_path, first)), "-q", "--processes", "1"]) == 0
    assert capsys.readouterr().out.startswith("VERIFIED: ")


def test_a_file_that_ends_the_process_is_refused(tmp_path: Path) -> None:
    """What would end the checker with a status of its own is found in a child process."""
    file = written(tmp_path)
    design = tmp_path / "small.py"
    text = design.read_text(encoding="utf-8")
    design.write_text(f"import os; os._exit(0)\n{text}", encoding="utf-8")
    with pytest.raises(UnacceptableError, match=r"cannot be imported|changed"):
        certify(file, processes=1)


def test_a_field_of_tasks_may_be_called_in_use(tmp_path: Path) -> None:
    """Only objects on the heap are in use or free; a field of that name is a field."""
    result = certify(written(tmp_path), processes=1)
    assert result.refutation == ""
    assert result.verified


def test_a_number_that_no_column_holds_is_refused_with_its_place(tmp_path: Path) -> None:
    """A number of more than 31 bits is none that the checker can compute with."""
    file = written(tmp_path, statement="unused = 4294967296")
    with pytest.raises(UnacceptableError, match=r"small\.py:\d+: .*4294967296.*cannot interpret"):
        certify(file, processes=1)
