"""Tests that the checker gives statements the meaning that they have when a design is executed."""

import textwrap
from pathlib import Path
from typing import Final

import pytest
from tests.support.certify.certificates import OWN_DESIGN, certificate, scenario
from tests.support.certify.exploring import explore

from iopermit.certify.errors import Refuted, UnacceptableError
from iopermit.certify.language.source import load
from iopermit.designs import find

DESIGN: Final = '''
from typing import Annotated, ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Range, Ref, Refcount, Sequence


class Block(HeapObject):
    """A map on the heap."""

    refcnt: Refcount = 0
    sequence: Sequence = 0
    bitmap: Bitmap


class Small(Design):
    """Denies everything."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4
    TEN: ClassVar[int] = 10

    class Task(machine_state.Task):
        """A task."""

        longs: Longs = 0
        few: Annotated[int, Range(0, 3)] = 0
        flag: bool = False
        map: Bitmap
        block: Ref[Block] = NULL
        other: Ref[Block] = NULL

    def bring_up(self, cpu) -> None:
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu, task, ports: PortRange, turn_on: bool) -> int:
        {body}
        return -EINVAL

    def refused(self, task) -> int:
        if task.privileged:
            return -EPERM
        return 0

    def has_sequence(self, task) -> bool:
        return task.block is not NULL and task.block.sequence != 0

    def iopl(self, cpu, task, level: int) -> int:
        return -EINVAL

    def switch_to(self, cpu, previous, following) -> None:
        cpu.tss.io_map_base = IoMapBase.INVALID
'''

_ALLOCATED: Final = "block = self.allocate(Block)\nif block is NULL:\n    return -ENOMEM\n"

CRASHES: Final = {
    "a negative error number": (
        'error = self.refused(task)\nif error < 0:\n    assert not task.privileged, "reached"',
        "kernel assertion failed: 'reached'",
    ),
    "more longs than there are": (
        "n = task.map.extent()\ncpu.tss.bitmap.fill(n + n)",
        "more longs than a bitmap has",
    ),
    "a range left": ("task.few += 1\ntask.few += 1", "value out of range: few"),
    "a negative difference": ("n = task.few - 1\ntask.few = n", "task.few - 1 is negative"),
    "a NULL pointer": ("task.block.refcnt = 1", "null pointer dereference: task.block"),
    "an operand that is looked at": (
        "if task.block is NULL and task.block.refcnt == 0:\n    pass",
        "null pointer dereference",
    ),
    "the other alternative": (
        "n = 0 if task.block is not NULL else task.block.refcnt\ntask.few = n",
        "null pointer dereference",
    ),
    "use after free": (
        (
            f"{_ALLOCATED}task.other = block\nself.free(block)\ntask.block = task.other\n"
            "held = task.block\nheld.refcnt = 1"
        ),
        "use after free: held",
    ),
    "a copy from freed memory": (
        (
            f"{_ALLOCATED}task.other = block\nself.free(block)\nfreed = task.other\n"
            "cpu.tss.bitmap.copy_from(freed.bitmap)"
        ),
        "use after free: freed",
    ),
    "double free": (f"{_ALLOCATED}self.free(block)\nself.free(block)", "use after free: block"),
    "free of NULL": ("self.free(task.block)", "free of NULL"),
    "a count below zero": (
        f"{_ALLOCATED}if self.refcount_dec_and_test(block):\n    self.free(block)",
        "reference count underflow",
    ),
    "memory that nothing refers to": (f"{_ALLOCATED}return 0", "garbage"),
    "a dead variable keeps nothing": (f"{_ALLOCATED}task.few = 1\nreturn 0", "garbage"),
    "a leak": (
        "cpu.tss.bitmap.change(ports, turn_on)\ncpu.tss.io_map_base = IoMapBase.VALID",
        "leak",
    ),
    "a gain without the privilege": (
        (
            "cpu.tss.bitmap.change(ports, turn_on)\ncpu.tss.io_map_base = IoMapBase.VALID\n"
            "if not ports.is_valid():\n    return -EINVAL\nreturn 0"
        ),
        "leak: a task gains ports without CAP_SYS_RAWIO",
    ),
    "a loss": ("return 0", "loss"),
    "a test after each long": (
        (
            "cpu.tss.bitmap.change(ports, turn_on)\ncpu.tss.bitmap.fill()\n"
            "n = cpu.tss.bitmap.extent()\nassert n != 0, 'nothing allowed'"
        ),
        "nothing allowed",
    ),
}

HOLDS: Final = {
    "no error": "error = 0\nif error < 0:\n    assert False, 'reached'",
    "extent() gives at least what it is told": (
        "cpu.tss.bitmap.fill()\nn = cpu.tss.bitmap.extent(at_least=2)\nassert n == 2, 'two'"
    ),
    "extent() finds the last long": (
        "cpu.tss.bitmap.fill()\nn = cpu.tss.bitmap.extent()\nassert n == 0, 'none'\n"
        "if ports.is_valid() and turn_on:\n    cpu.tss.bitmap.change(ports, turn_on)\n"
        "    n = cpu.tss.bitmap.extent()\n    assert n > 0, 'some'"
    ),
    "an operand that is not looked at": (
        "if task.block is not NULL and task.block.refcnt == 0:\n    pass\n"
        "n = task.block.refcnt if task.block is not NULL else 0\ntask.few = n\n"
        "flag = self.has_sequence(task)\ntask.flag = flag"
    ),
    "loops": (
        "n = 0\nfor i in range(3):\n    if i == 1:\n        continue\n    n = max(n, i)\n"
        "assert n == 2, 'the last turn'\nfor i in range(n):\n    n = i\n    break\n"
        "assert n == 0, 'the first turn'\nwhile task.few < 3:\n    task.few += 1\ntask.few = 0"
    ),
    "few real longs": (
        "n = max(task.longs, 1)\ntask.longs = n\ncpu.tss.bitmap.fill(2)\n"
        "n = task.map.extent(at_least=1)\ntask.longs = 1 if n > 1 else n"
    ),
    "a test of constants": "if self.TEN > 3:\n    pass\nelse:\n    assert False, 'reached'",
    "fresh numbers": (
        f"{_ALLOCATED}block.sequence = self.next_sequence()\nnumber = self.next_sequence()\n"
        "same = block.sequence\nassert same != number, 'fresh'\nself.free(block)"
    ),
    "a live variable refers": f"{_ALLOCATED}task.few = 1\nself.free(block)\ntask.few = 0",
    "a fresh map allows everything": (
        f"{_ALLOCATED}n = block.bitmap.extent()\nassert n == 2, 'all'\nself.free(block)"
    ),
}

UNACCEPTABLE: Final = {
    "a list": "n = [1]",
    "the order of sequence numbers": (
        f"{_ALLOCATED}old = block.sequence\nself.free(block)\nif old < 3:\n    pass"
    ),
    "a number that a sequence number has": (
        f"{_ALLOCATED}old = block.sequence\nself.free(block)\nif old == 3:\n    pass"
    ),
    "a number or an error number": "n = 3\nn = -EINVAL\ntask.few = n",
    "a computed argument": "cpu.tss.bitmap.change(ports, turn_on and task.flag)",
    "a variable without a value": "if turn_on:\n    n = 1\ntask.few = n",
    "the end of other ports": "if ports.is_valid(1024):\n    pass",
    "the variable of a loop behind it": "for i in range(2):\n    pass\ntask.few = i",
    "the variable of a loop before it": "i = 2\nfor i in range(0):\n    pass",
    "the variable of a loop, set": "for i in range(2):\n    i = 1",
    "the variable of a loop in it": "for i in range(2):\n    for i in range(2):\n        pass",
    "more real longs than the scenario has": "cpu.tss.bitmap.fill(16)",
    "real longs in an expression": "cpu.tss.bitmap.fill(min(task.longs, 16))",
    "real longs that are compared": "if task.longs < 16:\n    pass",
    "real longs in a variable": "n = 16\ncpu.tss.bitmap.fill(n)",
    "real longs in one of two": "n = 16 if turn_on else task.longs\ntask.longs = n",
    "real longs at least": "n = task.map.extent(at_least=3)\ntask.longs = n",
    "real longs in a field": "task.longs = 3",
    "the system's own field": "task.privileged = True",
    "recursion": "n = self.ioperm(cpu, task, ports, turn_on)",
    "`or` of numbers": "n = task.few or task.longs\ntask.few = n",
}


def visited(file: Path, body: str) -> int:
    """Put statements into a design, visit all its states, and return how many there are."""
    indented = textwrap.indent(body, " " * 8).strip()
    file.write_text(DESIGN.replace("{body}", indented), encoding="utf-8")
    states, _ = explore(load(str(file), "Small", ()), scenario(1, 1, 2))
    return states


@pytest.mark.parametrize("case", CRASHES)
def test_violation_is_found(case: str, tmp_path: Path) -> None:
    """What goes wrong when the statements are executed goes wrong for the checker."""
    body, message = CRASHES[case]
    with pytest.raises(Refuted, match=message):
        visited(tmp_path / "small.py", body)


@pytest.mark.parametrize("case", HOLDS)
def test_nothing_is_invented(case: str, tmp_path: Path) -> None:
    """Statements that do nothing wrong are accepted."""
    assert visited(tmp_path / "small.py", HOLDS[case]) > 3


@pytest.mark.parametrize("case", UNACCEPTABLE)
def test_what_the_language_lacks_is_refused(case: str, tmp_path: Path) -> None:
    """What the checker cannot interpret is refused, with file and line where there is one."""
    with pytest.raises(UnacceptableError, match=r"Small|small\.py:"):
        visited(tmp_path / "small.py", UNACCEPTABLE[case])


@pytest.mark.parametrize("design", ["linux-5.4", "linux-6.16", "linux-2.6.10"])
def test_checker_reaches_what_the_search_reaches(design: str, tmp_path: Path) -> None:
    """Exploring with the checker's own rules gives as many states as the search visits."""
    bounds = scenario(1, 1, 2, "ioperm,iopl,exec,exit,preempt")
    states, transitions = explore(find(design), bounds)
    assert states == certificate(tmp_path / "it", design, bounds)
    assert transitions > states


def test_checker_reaches_what_the_search_reaches_on_two_cpus(tmp_path: Path) -> None:
    """So it does on two CPUs, where the search may keep several names of a state."""
    bounds = scenario(2, 1, 1, "ioperm,migrate,allocation-fails")
    states, _ = explore(load(OWN_DESIGN, "EveryConstruct", ()), bounds)
    assert 0 < states <= certificate(tmp_path / "it", OWN_DESIGN, bounds)
