"""Tests that mistakes in a design are refused with their place, whatever they are."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

import pytest

from iopermit.designs.trial import ImportTimeoutError
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.IOPL}))
SOURCE: Final = '''"""A design with places for mistakes."""

from typing import Annotated, ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Range, Ref, Refcount

# top
class Thing(HeapObject):
    refcnt: Refcount = 0

class Mistaken(Design):
    id = "mistaken"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )
    # class

    class Task(machine_state.Task):
        number: Longs = 0
        count: Annotated[int, Range(0, 9)] = 0
        flag: bool = False
        thing: Ref[Thing] = NULL
        map: Bitmap
        # task

    def bring_up(self, cpu: Cpu) -> None:
        cpu.tss.bitmap.fill()
        # bring_up

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        # ioperm
        task.map.change(ports, turn_on)
        return -EPERM

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        cpu.tss.io_map_base = IoMapBase.INVALID
'''

MISTAKES: Final = [
    ("ioperm", "if turn_on:\n            x = 1\n        task.count = x", "'x' may have no value"),
    (
        "ioperm",
        "while turn_on:\n            x = 1\n        task.count = x",
        "'x' may have no value",
    ),
    ("ioperm", "if turn_on:\n            return -NULL", "has no UnaryOp"),
    ("ioperm", "if turn_on:\n            return -True", "has no UnaryOp"),
    ("ioperm", "if turn_on:\n            return -IoMapBase.VALID", "has no UnaryOp"),
    ("ioperm", "task.number = y", "'y' has no value here"),
    ("ioperm", "if turn_on:\n            return", "may return no value"),
    ("ioperm", "task.map.fill(1, 2)", "fill() with 2 arguments"),
    ("ioperm", "task.map.copy_from()", "copy_from() with 0 arguments"),
    ("ioperm", "task.map.fill(task.number - 1)", "arithmetic with a number of longs"),
    ("ioperm", "task.number += 1", "arithmetic with a number of longs"),
    ("ioperm", "x = task.count\n        task.number = x", "x is no number of longs"),
    ("ioperm", "task.map.fill(task.count)", "task.count is no number of longs"),
    ("ioperm", "task.flag = task.number == task.count", "task.count is no number of longs"),
    ("ioperm", "task.count = task.number", "a number of longs is assigned to 'count'"),
    ("ioperm", "for i in range(task.number):\n            task.flag = True", "a loop over a n"),
    ("ioperm", "task.flag = cpu.tss.io_map_base > IoMapBase.VALID", "have no order"),
    ("ioperm", "if turn_on and task.number:\n            task.flag = True", "join truth values"),
    ("ioperm", "task.flag = -EPERM or turn_on", "join truth values"),
    ("ioperm", "task.flag = turn_on or task.thing", "join truth values"),
    ("ioperm", "if self.iopl:\n            task.flag = True", "has no constant 'iopl'"),
    ("ioperm", "if self.layout:\n            task.flag = True", "has no constant 'layout'"),
    ("ioperm", "if self.unknown:\n            task.flag = True", "has no constant 'unknown'"),
    ("ioperm", "if self:\n            task.flag = True", "'self' has no value here"),
    ("ioperm", "if 'on':\n            task.flag = True", "'on'"),
    ("ioperm", "while 0.5:\n            task.flag = True", "0.5"),
    ("ioperm", "self.free()", "free() takes one object"),
    ("ioperm", "cpu.tss.io_map_base = IoMapBase.ALL", "no base for IoMapBase.ALL"),
    ("ioperm", "if cpu is not NULL:\n            task.flag = True", "it is no value"),
    ("ioperm", "here = cpu\n        task.flag = here is NULL", "it is no value"),
    ("ioperm", "with task.preemption_disabled():\n            task.flag = True", "unknown `with`"),
    ("ioperm", "with here.preemption_disabled():\n            here = 1", "unknown `with`"),
    ("ioperm", "task.number = max(cpu.tss, task.number)", "max() of something that is no number"),
    ("ioperm", "task.flag = min(task.flag, True)", "min() of something that is no number"),
    ("bring_up", 'assert False, "up"', "bring_up() crashes: kernel assertion failed: up"),
    ("task", "wrong: bool = 5", "field 'wrong' of Task starts as 5"),
    ("task", "wrong: bool = None", "field 'wrong' of Task starts as None"),
    ("task", "wrong: Longs = 99", "field 'wrong' of Task starts as 99"),
    ("task", "wrong: Longs = -1", "field 'wrong' of Task starts as -1"),
    ("task", "wrong: Annotated[int, Range(0, 3)] = 9", "the default of 'wrong' is not among"),
    ("task", "wrong: Annotated[int, Range(5, 2)] = 5", "Range(low, high) with 0 <= low <= high"),
    ("task", "wrong: Annotated[int, Range('a', 'b')] = 0", "Range(low, high)"),
    ("task", "wrong: Annotated[int, Range(0, 1 << 64)] = 0", "Range(low, high)"),
    ("task", "wrong: Ref[Thing] = 5", "field 'wrong' of Task starts as 5"),
    (
        "class",
        "def map_in_force(self):\n        return IoMapBase.VALID",
        "map_in_force() takes 1 parameters",
    ),
    (
        "class",
        "def execve(this, cpu: Cpu, task: Task) -> None:\n        cpu.tss.bitmap.fill()",
        "the first parameter of execve() is not self",
    ),
    (
        "class",
        "@(lambda f: f)\n    def execve(self, cpu: Cpu, task: Task) -> None:\n        pass",
        "the language has no @lambda f: f",
    ),
    (
        "class",
        "execve = lambda self, cpu, task: cpu.tss.bitmap.fill()",
        "execve is not a method that is written out",
    ),
    ("class", "def allocate(self, kind):\n        return NULL", "has its own allocate()"),
    ("class", "def __getattr__(self, name):\n        return 5", "has its own __getattr__()"),
    ("task", "def twice(self):\n            return 2", "Task has twice, which is no field"),
    ("task", "def __setattr__(self, name, value):\n            pass", "Task has __setattr__"),
    ("task", "half = property(lambda self: 2)", "Task has half, which is no field"),
    ("class", "id = 5", "id of Mistaken is no printable text"),
    ("class", 'id = "\\x1b[31m"', "id of Mistaken is no printable text"),
    ("class", "options = None", "options of Mistaken is no dictionary"),
    ("class", "options = {5: 'five'}", "options of Mistaken is no dictionary"),
    ("class", "Cpu = None", "Cpu of Mistaken is no iopermit.system.machine_state.Cpu"),
    ("top", "import os; os._exit(0)", "importing the file ends the process"),
    ("top", "raise BaseException('no')", "importing the file fails: BaseException: no"),
    ("top", "raise KeyboardInterrupt", "importing the file fails: KeyboardInterrupt"),
    ("top", "raise GeneratorExit", "importing the file fails: GeneratorExit"),
    ("top", "import sys; sys.exit(0)", "importing the file fails: SystemExit: 0"),
]


def written(tmp_path: Path, place: str, code: str) -> Path:
    """Write the design with code in one of its places."""
    file = tmp_path / "mistaken.py"
    file.write_text(SOURCE.replace(f"# {place}\n", f"{code}\n"), "utf-8")
    return file


def test_without_a_mistake_it_is_accepted(tmp_path: Path) -> None:
    """The design itself is right: what is refused below is the mistake."""
    file = written(tmp_path, "top", "")
    assert translate(load_design(str(file)), SCENARIO).steps


@pytest.mark.parametrize(("place", "code", "said"), MISTAKES)
def test_a_mistake_is_refused_with_its_place(
    tmp_path: Path, place: str, code: str, said: str
) -> None:
    """Each mistake gives one message that names the file, and no other exception."""
    file = written(tmp_path, place, code)
    with pytest.raises(DesignError) as caught:
        translate(load_design(str(file)), SCENARIO)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_may_not_change_its_name(tmp_path: Path) -> None:
    """A design is reported under the file that was named, whatever that says of itself."""
    design = load_design(str(written(tmp_path, "top", "__file__ = 5")))
    assert inspect.getfile(design) == str(tmp_path / "mistaken.py")


def test_importing_may_not_take_for_ever(tmp_path: Path) -> None:
    """A file that never comes to an end is given up after the time allowed."""
    file = written(tmp_path, "top", "while True: pass")
    with pytest.raises(ImportTimeoutError):
        load_design(str(file), seconds=0.5)


def test_what_a_file_changes_is_given_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed stream, another directory or recursion limit in a design file harms nothing."""
    monkeypatch.chdir(tmp_path)
    code = "import os, sys; sys.setrecursionlimit(99); os.chdir('/'); sys.stdout.close()"
    file = written(tmp_path, "top", code)
    assert load_design(str(file)).id == "mistaken"
    print("still here")  # noqa: T201 - that is the question
    assert capsys.readouterr().out == "still here\n"
    assert load_design("mistaken.py").id == "mistaken"
