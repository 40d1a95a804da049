"""Tests that what the design language lacks is refused: place, reason and remedy."""

import re
import textwrap
from pathlib import Path

import pytest

from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.translation import translate

DESIGN = '''
import enum
from typing import Annotated, ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Range, Ref, Refcount, Sequence


class Map(HeapObject):
    """A map on the heap."""

    refcnt: Refcount = 0
    sequence: Sequence = 0
    bitmap: Bitmap


class Loose(HeapObject):
    """A heap class that no field refers to."""


class Small(Design):
    """Denies everything."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4
    never: ClassVar[bool] = False

    class Task(machine_state.Task):
        """A task."""

        map: Ref[Map] = NULL
        count: Annotated[int, Range(0, 2)] = 0
        seen: Sequence = 0
        ready: bool = False

    def ioperm(self, cpu, task, ports: PortRange, turn_on: bool) -> int:
        {body}
        return -EINVAL

    def iopl(self, cpu, task, level: int) -> int:
        return -EINVAL

    def switch_to(self, cpu, previous, following) -> None:
        pass

    def one(self, number) -> int:
        task = number
        return 0

    def sometimes(self, task) -> int:
        if task.ready:
            return 0

    def ping(self, task) -> int:
        x = self.pong(task)
        return x

    def pong(self, task) -> int:
        x = self.ping(task)
        return x

    def again(self, task) -> int:
        result = self.again(task)
        return result
'''

REFUSED = {
    "a comprehension": ("x = [i for i in range(3)]", "no list comprehension", "["),
    "a lambda": ("x = lambda: 1", "lambda", "lambda"),
    "a product": ("x = task.count * 2", "no operator Mult", "task.count * 2"),
    "an index": ("x = task.count[0]", "no indexing", "task.count[0]"),
    "a chain of comparisons": (
        "task.ready = 0 < task.count < 2",
        "no chained comparison",
        "0 < task.count < 2",
    ),
    "a string": ("x = 'text'", "no Constant", "'text'"),
    "an exception": ("raise ValueError", "no statement of this kind (Raise)", "raise"),
    "a try": ("try:\n    pass\nfinally:\n    pass", "no statement of this kind (Try)", "try"),
    "a deletion": ("del task.count", "no statement of this kind (Delete)", "del"),
    "an import": ("import os", "no statement of this kind (Import)", "import"),
    "an unpacking": ("x, y = 1, 2", "no tuple", "1, 2"),
    "a second shared access": (
        "x = task.map.sequence == task.map.sequence",
        "a second access to shared state in one step",
        "task.map.sequence",
    ),
    "a privilege that a hook gives": (
        "task.privileged = True",
        "'privileged' is no field of the design's own",
        "task.privileged",
    ),
    "a pointer in a number": ("task.count = task.map", "a ref is assigned", "task.count"),
    "a variable of two types": ("x = 1\nx = task.map", "gets values of different types", "x"),
    "a sum of pointers": ("x = task.map + 1", "only numbers are added", "task.map + 1"),
    "recursion": ("x = self.again(task)", "again() calls itself", "self.again(task)"),
    "too few arguments": ("x = self.one()", "one() takes (number)", "self.one()"),
    "a variable assigned on one way only": (
        "if task.ready:\n    x = 1\ntask.count = x",
        "the variable 'x' may have no value here",
        "task.count = x",
    ),
    "a variable assigned in a loop that may not turn": (
        "while task.ready:\n    x = 1\n    task.ready = False\ntask.count = x",
        "the variable 'x' may have no value here",
        "task.count = x",
    ),
    "a call that may return nothing": (
        "x = self.sometimes(task)\nif x < 0:\n    return x",
        "the variable 'x' may have no value here",
        "x < 0",
    ),
    "a loop in which nothing happens": (
        "while True:\n    if self.never:\n        break",
        "a loop in which nothing happens and which nothing ends",
        "def ioperm",
    ),
    "mutual recursion": ("x = self.ping(task)", "ping() calls itself", "self.ping(task)"),
    "a parameter that gets a result": (
        "turn_on = self.one(1)",
        "the parameter 'turn_on' is assigned",
        "turn_on = self.one(1)",
    ),
    "an assigned parameter": ("task = NULL", "the parameter 'task' is assigned", "task"),
    "pointers compared with ==": ("x = task.map == NULL", "pointers are compared with ==", "task"),
    "numbers compared with is": (
        "x = task.count is task.count",
        "`is` compares pointers only",
        "task",
    ),
    "the order of counters": ("x = task.seen < 3", "the order of sequence numbers", "task.seen"),
    "a number and a truth value": ("x = task.count == task.ready", "are compared", "task.count"),
    "an unknown field": ("x = task.nothing", "task has no field 'nothing'", "task.nothing"),
    "an unknown method": ("x = self.nothing(task)", "no method nothing()", "self.nothing"),
    "an unknown name": ("x = nothing", "'nothing' has no value here", "nothing"),
    "an unknown constant": ("x = self.NOTHING", "no constant 'NOTHING'", "self.NOTHING"),
    "a loop over a list": ("for i in (1, 2):\n    pass", "something else than range(n)", "for"),
    "an unbounded loop": (
        "while True:\n    task.ready = True",
        "an unbounded loop: nothing in it ends it",
        "while",
    ),
    "a range of unknown length": ("for i in range(x):\n    pass", "'x' has no value here", "x"),
    "a variable without a bound": (
        "x = 0\nwhile task.ready:\n    x = x + 1",
        "the variable 'x' grows without a bound that can be seen",
        "x = x + 1",
    ),
    "the else of a loop": (
        "while task.ready:\n    task.ready = False\nelse:\n    pass",
        "no `else` of a loop",
        "while",
    ),
    "another with": ("with open('f'):\n    pass", "an unknown `with`", "with"),
    "a computed argument": (
        "x = self.one(task.count + 1)",
        "an argument that is computed in the call",
        "task.count + 1",
    ),
    "the variable of a loop behind it": (
        "for i in range(2):\n    pass\ntask.count = i",
        "'i', the variable of a loop, is used outside of it",
        "i",
    ),
    "the variable of a loop before it": (
        "i = 2\nfor i in range(0):\n    pass",
        "'i', the variable of a loop, is used outside of it",
        "i = 2",
    ),
    "the variable of a loop, set": (
        "for i in range(2):\n    i = 1",
        "'i', the variable of a loop, is used outside of it, or assigned",
        "i = 1",
    ),
    "the variable of a loop in it": (
        "for i in range(2):\n    for i in range(2):\n        pass",
        "'i', the variable of a loop, is used outside of it, or assigned",
        "i in range",
    ),
    "a computed argument of change": (
        "task.map.bitmap.change(ports, turn_on and task.ready)",
        "an argument that is computed in the call",
        "turn_on and",
    ),
    "another end of the ports": (
        "if ports.is_valid(1024):\n    pass",
        "is_valid() with another end than that of the map",
        "ports.is_valid",
    ),
    "a number and an error number": (
        "x = 3\nx = -EINVAL",
        "gets values of different types",
        "x = -EINVAL",
    ),
    "an error number in a field": (
        "x = -EINVAL\ntask.count = x",
        "a result is assigned to the int field 'count'",
        "task.count",
    ),
    "an error number without its sign": (
        "x = -EINVAL\nif x == EINVAL:\n    pass",
        "are compared",
        "x == EINVAL",
    ),
    "a counter and a number": (
        "x = task.seen == 3",
        "a sequence number is compared with another number",
        "task.seen",
    ),
    "another number than 0 in a counter": (
        "task.seen = 1",
        "a int is assigned to the counter field 'seen'",
        "task.seen = 1",
    ),
    "a flag in a counter": (
        "task.seen = False",
        "a bool is assigned to the counter field 'seen'",
        "task.seen = False",
    ),
    "a result in a field": ("task.count = self.one(1)", "assigned to a field", "task.count"),
    "a class not on the heap": ("x = self.allocate(Loose)", "no heap class", "self.allocate"),
    "a number freed": ("self.free(task.count)", "is no heap object", "self.free"),
    "a number as bitmap": ("cpu.tss.bitmap.copy_from(task.count, 1)", "is no bitmap", "task.count"),
    "a pointer as truth value": ("if task.map:\n    pass", "this is no truth value", "task.map"),
    "an unknown function": ("print(task)", "an unknown operation print()", "print"),
    "super": ("super().ioperm(cpu, task, ports, turn_on)", "unknown operation super()", "super"),
}


def refusal(file: Path, statements: str) -> list[str]:
    """Put statements into a design; return the lines of the message that refuses it."""
    file.write_text(DESIGN.replace("{body}", textwrap.indent(statements, " " * 8).strip()))
    with pytest.raises(DesignError) as error:
        translate(load_design(str(file)), Scenario(1, 1, 1))
    return str(error.value).splitlines()


@pytest.mark.parametrize("case", REFUSED)
def test_message_names_place_reason_and_remedy(case: str, tmp_path: Path) -> None:
    """The message has file, line and column, the reason, the line, a caret, and a remedy."""
    statements, reason, marked = REFUSED[case]
    file = tmp_path / "small.py"
    lines = refusal(file, statements)
    place, text = lines[0].split(": error: ")
    assert place.rsplit(":", 2)[0] == str(file)
    line, column = map(int, place.rsplit(":", 2)[1:])
    assert reason in text
    source = file.read_text().splitlines()[line - 1]
    assert lines[1] == "    " + source
    assert lines[2] == "    " + " " * (column - 1) + "^"
    assert source[column - 1 :].startswith(marked)
    assert lines[3].startswith("  write instead: ")


def test_a_hook_returns_a_value_on_every_way(tmp_path: Path) -> None:
    """A system call that may come to its end without an answer is refused."""
    text = DESIGN.replace("{body}", "if task.ready:\n            return 0")
    file = tmp_path / "small.py"
    file.write_text(text.replace("        return -EINVAL\n\n    def iopl", "\n    def iopl"))
    with pytest.raises(DesignError, match=re.escape("ioperm() may return no value")) as error:
        translate(load_design(str(file)), Scenario(1, 1, 1))
    assert "def ioperm" in str(error.value)
