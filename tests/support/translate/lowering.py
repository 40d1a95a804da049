"""Lowers a method of a small design, and prints its steps one a line, so that tests can read them.

A step is printed as ``number: what it does``, in the order in which steps are first reached. A
field is printed as ``record.field`` if it is one of the CPU or the task that executes the step,
else with its slot; ``*p`` is the slot that a pointer refers to, ``m[i]`` a bit of a mask, and
``end`` is where the caller continues.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.environment.builder import EnvironmentBuilder
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.types import Type, Value, pointer
from iopermit.translate.model.builder import binary
from iopermit.translate.model.nodes import (
    CPU,
    NO_ROOM,
    TASK,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Goto,
    If,
    Let,
    Load,
    Mask,
    StepParameter,
    Stmt,
    Store,
    Temp,
)
from iopermit.translate.model.walk import targets

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.system.design import Design
    from iopermit.translate.model.model import Step

DESIGN = '''
from typing import Annotated, ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, Globals, HeapObject, Longs, Range, Ref, Refcount, Sequence


class Map(HeapObject):
    """A map on the heap."""

    refcnt: Refcount = 1
    sequence: Sequence = 0
    bitmap: Bitmap


class Small(Design):
    """A design with one of each kind of field."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4
    careful: ClassVar[bool] = True

    class Task(machine_state.Task):
        """A task."""

        map: Ref[Map] = NULL
        longs: Longs = 0
        count: Annotated[int, Range(0, 2)] = 0
        seen: Sequence = 0
        ready: bool = False
        own: Bitmap

    class Globals(Globals):
        """Shared by all CPUs."""

        last: Sequence = 0

    def ioperm(self, cpu, task, ports: PortRange, turn_on: bool) -> int:
        return -EINVAL

    def iopl(self, cpu, task, level: int) -> int:
        return -EINVAL

    def switch_to(self, cpu, previous, following) -> None:
        pass

    def is_ready(self, task) -> bool:
        return task.ready and task.count > 0

    def mark(self, task) -> int:
        task.ready = True
        return 0

    def example(self, cpu, task, ports, turn_on):
        {body}
'''
_LINES = re.compile(r"@\d+\.\d+\.|@\d+|\d+:")
"""Lines and columns in the names of local variables, which tests do not depend on."""
SCENARIO = Scenario(1, 2, 2, ALL_EVENTS)


def lowered(folder: Path, body: str, scenario: Scenario = SCENARIO) -> list[str]:
    """Return the steps of a method with this body, printed; its result goes to ``result``."""
    steps, entry, after = lower(folder, body, scenario)
    order = [entry]
    for pc in order:
        order += [each for each in _targets_in_order(steps[pc].body) if each not in {*order, after}]
    names = {pc: str(number) for number, pc in enumerate(order)} | {after: "end"}
    return [f"{names[pc]}: {_Printer(names).body(steps[pc].body)}" for pc in order]


def small_design(folder: Path, body: str = "pass") -> type[Design]:
    """Return the small design, with a method of this body; it is written to a new file."""
    code = textwrap.indent(textwrap.dedent(body), " " * 8).strip()
    file = folder / f"small_{len(list(folder.iterdir()))}.py"
    file.write_text(DESIGN.replace("{body}", code))
    return load_design(str(file))


def lower(
    folder: Path, body: str, scenario: Scenario = SCENARIO
) -> tuple[dict[int, Step], int, int]:
    """Return the steps of a method with this body by label, its first one, and where it ends."""
    design = small_design(folder, body)
    types: dict[tuple[str, str], Type] = {}
    for _ in range(4):
        builder = EnvironmentBuilder(design, scenario, types, (4, 4))
        ports, turn_on = (
            builder.local(name, kind)
            for name, kind in (("ports", Type("bitmap", 0, 3)), ("turn_on", Type("bool")))
        )
        arguments = {
            "cpu": pointer("cpu", CPU),
            "task": pointer("task", TASK),
            "ports": Value(Load(ports, TASK), Type("ports", 0, 3)),
            "turn_on": Value(Load(turn_on, TASK), Type("bool")),
        }
        result = builder.local("result", Type("int", 0, 0))
        entry, after = builder.lowering.hook(
            "example", arguments, record="task", off=False, result=result
        )
    known = builder.steps.resolved()
    return builder.steps.lowered.steps, known[entry], after


def _targets_in_order(body: tuple[Stmt, ...]) -> list[int]:
    found: list[int] = []
    for statement in body:
        if isinstance(statement, If):
            found += _targets_in_order(statement.then) + _targets_in_order(statement.otherwise)
        else:
            found += targets((statement,))
    return found


class _Printer:
    """Prints statements and expressions; ``names`` are those of steps."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names

    def body(self, body: tuple[Stmt, ...]) -> str:
        return "; ".join(map(self.statement, body))

    def statement(self, statement: Stmt) -> str:
        value = self.value
        match statement:
            case Let(Temp(name), expr):
                return f"{name} = {value(expr)}"
            case Store(field, index, expr):
                return f"{value(Load(field, index))} = {value(expr)}"
            case Check(bad, message, verdict):
                return f"{'room' if verdict == NO_ROOM else 'check'} {value(bad)} '{message}'"
            case If(condition, then, otherwise):
                other = f" else {{{self.body(otherwise)}}}" if otherwise else ""
                return f"if {value(condition)} {{{self.body(then)}}}{other}"
            case Goto(target):
                return f"-> {self.names.get(target, target)}"
            case Clear(record, index):
                return f"clear {record}[{value(index)}]"

    def value(self, expr: Expr) -> str:
        match expr:
            case Const(number):
                return str(number)
            case StepParameter(name) | Temp(name):
                return name
            case Load():
                return self._load(expr)
            case Binary():
                return self._binary(expr)
            case Mask(what, record):
                return f"{what}({record})"
        raise AssertionError(expr)

    def _load(self, load: Load) -> str:
        field, index = load.field, load.index
        name = _LINES.sub("", field.name.removeprefix("example."))
        if field.local:
            return name
        own = {CPU: ("cpu", "tss"), TASK: ("task",), Const(0): ("globals",)}
        slot = "" if field.record in own.get(index, ()) else f"[{self.value(index)}]"
        return f"{field.record}{slot}.{name}"

    def _binary(self, expr: Binary) -> str:
        value = self.value
        match expr:
            case Binary("and", Binary("shr", mask, bit), Const(1)):
                return f"{value(mask)}[{value(bit)}]"
            case Binary(
                "or", Binary("sub", Binary("or", mask, _), hole), Binary("shl", new, bit)
            ) if hole == binary("shl", Const(1), bit):
                return f"{value(mask)} with [{value(bit)}] = {value(new)}"
            case Binary("sub", Load(field, _) as pointer, Const(1)) if field.kind == "ref":
                return f"*{value(pointer)}"
        return f"({value(expr.left)} {expr.op} {value(expr.right)})"
