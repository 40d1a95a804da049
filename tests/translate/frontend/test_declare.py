"""Tests which fields the records of a design become, and which declarations are refused."""

import re
from pathlib import Path

import pytest

from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.records import MAX_REFCOUNT
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.declare import Declarations, declare
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.model.nodes import Field
from iopermit.translate.translation import translate

DESIGN = '''
from __future__ import annotations

import enum
from typing import Annotated, ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, Design
from iopermit.system.machine_state import TssLayout
from iopermit.system.records import (
    NULL, Globals, HeapObject, IoplLevel, Longs, Range, Ref, Refcount, Sequence,
)


class Mode(enum.Enum):
    """How it is."""

    IDLE = 0
    BUSY = 4


class Words(enum.Enum):
    """An enumeration of texts."""

    ONE = "one"


class Map(HeapObject):
    """A map on the heap, and the one that it belongs to."""

    group: Ref[Group] = NULL
    refcnt: Refcount = 1


class Group(HeapObject):
    """Maps that belong together, which lead to one another."""

    first: Ref[Map] = NULL


class {heap}(HeapObject):
    """Another class on the heap."""

    first: Ref[Map] = NULL


class Small(Design):
    """A design with one of each kind of field."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4

    class Task(machine_state.Task):
        """A task."""

        map: Ref[Map] = NULL
        other: Ref[{heap}] = NULL
        {task}

    class Cpu(machine_state.Cpu):
        """A CPU."""

        {cpu}

    class Globals(Globals):
        """What there is once."""

        {globals}

    def ioperm(self, cpu, task, ports: PortRange, turn_on: bool) -> int:
        return -EINVAL

    def iopl(self, cpu, task, level: int) -> int:
        return -EINVAL

    def switch_to(self, cpu, previous, following) -> None:
        pass
'''
SCENARIO = Scenario(2, 3, 2, ALL_EVENTS)


def design(folder: Path, **fields: str) -> str:
    """Write the design with some more fields to a file; return its name."""
    texts = {"task": "pass", "cpu": "pass", "globals": "pass", "heap": "Other"} | fields
    file = folder / "small.py"
    file.write_text(re.sub(r"\{(task|cpu|globals|heap)\}", lambda m: texts[m[1]], DESIGN))
    return str(file)


def declared(folder: Path, **fields: str) -> Declarations:
    """Return the declarations of the design with some more fields."""
    return declare(load_design(design(folder, **fields)), SCENARIO)


FIELDS = {
    "flag: bool = True": Field("task", "flag", 1, "bool", high=1, declared=True),
    "longs: Longs = 0": Field("task", "longs", 2, "int", high=2, declared=True),
    "level: IoplLevel = 0": Field("task", "level", 2, "int", high=3, declared=True),
    "few: Annotated[int, Range(2, 5)] = 2": Field(
        "task", "few", 3, "int", low=2, high=5, declared=True
    ),
    "mode: Mode = Mode.IDLE": Field("task", "mode", 3, "enum", high=4, declared=True),
    "own: Bitmap": Field("task", "own", 2, "bitmap", high=3, declared=True),
    "count: Refcount = 0": Field("task", "count", 4, "int", high=MAX_REFCOUNT, declared=True),
    "next: Ref[machine_state.Task] = NULL": Field(
        "task", "next", 3, "ref", "task", high=5, declared=True
    ),
}


@pytest.mark.parametrize("text", FIELDS)
def test_field(text: str, tmp_path: Path) -> None:
    """A declaration becomes a field of so many bits, and keeps its bounds and target."""
    assert FIELDS[text] in declared(tmp_path, task=text).fields


def test_sequence_numbers_have_a_value_for_each_place_that_holds_one(tmp_path: Path) -> None:
    """One for every slot of the field, one for each task's variables, one to spare."""
    values = declared(tmp_path, task="seen: Sequence = 0").counter_values
    assert values == (SCENARIO.tasks + SCENARIO.cpus) + SCENARIO.tasks + 1


def test_records_have_slots(tmp_path: Path) -> None:
    """There is an idle task for each CPU, and two heap objects for each task."""
    counts = declared(tmp_path).counts
    assert counts == {
        "task": 5, "cpu": 2, "tss": 2, "globals": 1, "Map": 6, "Group": 6, "Other": 6,
    }  # fmt: skip


def test_classes_that_lead_to_one_another_are_found_once(tmp_path: Path) -> None:
    """Each class on the heap is there, however the design comes to it."""
    found = declared(tmp_path)
    assert list(found.heap) == ["Map", "Group", "Other"]
    assert [f.name for f in found.fields if f.record == "Group"] == ["first", "in_use"]


def test_defaults_are_numbers(tmp_path: Path) -> None:
    """Those that are not 0 are kept."""
    defaults = declared(tmp_path, task="mode: Mode = Mode.BUSY").defaults
    assert defaults["task", "mode"] == 4
    assert defaults["Map", "refcnt"] == 1
    assert ("task", "map") not in defaults


REFUSED = {
    "a text": ({"task": "name: str = ''"}, "which the state of a design cannot have"),
    "a number without bounds": ({"task": "n: int = 0"}, "which the state of a design cannot have"),
    "an enumeration of texts": (
        {"task": "words: Words = Words.ONE"},
        "the values are not all numbers from 0 on",
    ),
    "a default out of bounds": (
        {"task": "few: Annotated[int, Range(2, 5)] = 6"},
        "the default of 'few' is not among its values, 2 to 5",
    ),
    "what the specification records": ({"task": "granted: Bitmap"}, "has a field 'granted'"),
    "where a task is": ({"task": "pc: Longs = 0"}, "has a field 'pc'"),
    "where a task lives": ({"task": "home: Longs = 0"}, "has a field 'home'"),
    "what a CPU switches to": ({"cpu": "following: bool = False"}, "has a field 'following'"),
    "what a CPU is blamed for": ({"cpu": "blame: bool = False"}, "has a field 'blame'"),
    "what went wrong": ({"globals": "bad: bool = False"}, "has a field 'bad'"),
    "another type for a field of the system": (
        {"task": "kernel_thread: Longs = 0"},
        "the field 'kernel_thread' of every Task is declared with another type",
    ),
    "a class called like a record": ({"heap": "task"}, "'task' is the name of another record"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    """What would be mistaken for something else is refused, with the class and what to write."""
    fields, message = REFUSED[case]
    with pytest.raises(DesignError, match=re.escape(message)) as error:
        translate(load_design(design(tmp_path, **fields)), SCENARIO)
    assert "small.py:" in str(error.value)
    assert "write instead:" in str(error.value)
