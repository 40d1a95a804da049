"""Tests of step-by-step execution (src/iopermit/translate/stepping/generators.py)."""

# ruff: noqa: ARG002 - a design fills in fixed entry points and may not need every argument

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.system.tiny_design import LAYOUT, Block, Tiny

from iopermit.designs import designs
from iopermit.system.bitmap import PortRange
from iopermit.system.concretion import exact
from iopermit.system.crash import KernelCrash, OutOfRange
from iopermit.system.design import ENOMEM, Design
from iopermit.system.execution import Action
from iopermit.system.position import Stack
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.translate.stepping.generators import steps

WHOLE_MAP = PortRange(0, 65536)


class Odd(Tiny):
    """Statements that the tiny design has no use for."""

    def local_difference(self, cpu: Tiny.Cpu, task: Tiny.Task) -> int:
        """Take more away than there is."""
        number = 1
        number -= task.counter
        return number

    def forwards(self, cpu: Tiny.Cpu, task: Tiny.Task) -> int:
        """Return what another method returns."""
        return self.make_block(cpu, task)

    def folded(self, cpu: Tiny.Cpu, task: Tiny.Task) -> int:
        """Test constants only."""
        if not self.shortcut:
            while True:
                if self.preemptible:
                    break
                continue
        elif task.counter:
            return 1
        while self.shortcut:
            task.counter = 2
        return 0


def make(design: type[Design] = Tiny, **options: bool) -> System:
    """Return a system of one CPU and one task."""
    scenario = Scenario(cpus=1, tasks=1, longs=2)
    return System(design, scenario, exact(LAYOUT, 2), stepper=steps, options=options)


def collect(system: System, name: str, *arguments: object) -> tuple[list[Stack], Any]:
    """Run a method to its end and return all its stops and its result."""
    stops = []
    task, cpu = system.threads[0].record, system.processors[0].record
    run = steps(system.design, name, (cpu, task, *arguments))
    while True:
        try:
            stops.append(next(run))
        except StopIteration as end:
            return stops, end.value


def lines(function: Callable[..., object]) -> list[str]:
    """Return the source lines of a function without indentation."""
    return [line.strip() for line in inspect.getsourcelines(function)[0]]


def described(
    stops: list[Stack], function: Callable[..., object]
) -> Iterator[tuple[str, int | None]]:
    """Yield the source line and the part of the stops in one method, callers left out."""
    first = inspect.getsourcelines(function)[1]
    text = lines(function)
    for stack in stops:
        position = stack[-1].position
        if position.function == function.__name__:
            yield text[position.line - first], position.part


def test_each_statement_of_straight_code_is_one_step() -> None:
    """Allocation, test, assignments and return take one step each, a fill two longs more."""
    stops, result = collect(make(), "make_block")
    assert result == 0
    assert list(described(stops, Tiny.make_block)) == [
        ("fresh = self.allocate(Block)", None),
        ("if fresh is NULL:", None),
        ("fresh.refcnt = 1", None),
        ("fresh.bitmap.fill()", None),
        ("fresh.bitmap.fill()", 0),
        ("fresh.bitmap.fill()", 1),
        ("fresh.sequence = self.next_sequence()", None),
        ("task.block = fresh", None),
        ("return 0", None),
    ]


def test_control_flow_takes_the_steps_of_the_language() -> None:
    """Loops stop for their tests and at the end of an iteration; break and pass take no step."""
    stops, result = collect(make(), "iopl", 3)
    assert result == -1
    assert list(described(stops, Tiny.iopl)) == [
        ("total = 0", None),
        ("for i in range(level):", None),
        ("if i == 1:", None),
        ("total = total + i", None),
        ("if self.is_large(total):", None),
        ("for i in range(level):", 0),
        ("if i == 1:", None),
        ("for i in range(level):", 0),
        ("if i == 1:", None),
        ("total = total + i", None),
        ("if self.is_large(total):", None),
        ("for i in range(level):", 0),
        ("task.counter = 0", None),
        ("task.counter += 1", None),
        ("while task.counter < level:", None),
        ("task.counter += 1", None),
        ("while task.counter < level:", None),
        ("task.counter += 1", None),
        ("while task.counter < level:", None),
        ("if total == 7:", None),
        ("elif total == 2:", None),
        ("cpu.visits = 1", None),
        ('assert task.counter <= 3, "the counter is small"', None),
        ("cpu.load_task_register()", None),
        ("return self.answer(total - 1 if total > 0 else 0)", None),
    ]


def test_an_option_folds_its_branch() -> None:
    """With the option set only the other branch is executed, still without a step for the test."""
    stops, _ = collect(make(shortcut=True), "iopl", 0)
    texts = [text for text, _ in described(stops, Tiny.iopl)]
    assert "task.counter = 1" in texts
    assert "task.counter = 0" not in texts
    assert not any("shortcut" in text for text in texts)


def test_constant_tests_and_loops_take_no_step() -> None:
    """Of a method whose tests are all constant only the return is a step."""
    stops, result = collect(make(Odd), "folded")
    assert result == 0
    assert [text for text, _ in described(stops, Odd.folded)] == ["return 0"]


def test_a_call_is_no_step_and_stands_in_front_of_the_callee() -> None:
    """Inside a called method the stack has the call statement first, then the statement."""
    stops, result = collect(make(), "ioperm", WHOLE_MAP, True)
    assert result == 0
    inside = [stack for stack in stops if stack[-1].position.function == "make_block"]
    assert len(inside) == 9
    first = inspect.getsourcelines(Tiny.ioperm)[1]
    call = lines(Tiny.ioperm).index("result = self.make_block(cpu, task)") + first
    assert {(s[0].position.function, s[0].position.line) for s in inside} == {("ioperm", call)}
    assert not any(len(s) == 1 and s[0].position.line == call for s in stops)


def test_a_returned_call_gives_its_result() -> None:
    """`return self.method()` takes no step of its own and passes the result on."""
    system = make(Odd)
    system._choice = system.heap_slots
    stops, result = collect(system, "forwards")
    assert result == -ENOMEM
    assert {len(stack) for stack in stops} == {2}


def test_preemption_is_off_inside_the_with_statement_only() -> None:
    """Entering the block can be preempted; its statements and their longs cannot."""
    stops, _ = collect(make(), "ioperm", WHOLE_MAP, True)
    off = [
        (text, any(frame.position.preemption_off for frame in stack))
        for stack in stops
        for text, _ in described([stack], Tiny.ioperm)
    ]
    inside = [text for text, flag in off if flag]
    assert ("with cpu.preemption_disabled():", False) in off
    assert len(inside) == 3 + 3 + 3 + 1
    assert inside[0] == "block.bitmap.change(ports, turn_on)"
    assert off[-1] == ("return 0", False)


def test_a_called_method_inherits_that_preemption_is_off() -> None:
    """The call chain of a method called inside the block has a frame with preemption off."""
    design = designs()["linux-v2-06"]
    system = System(design, Scenario(cpus=1, tasks=1), exact(design.layout, 2), stepper=steps)
    stops, _ = collect(system, "ioperm", WHOLE_MAP, True)
    inside = [s for s in stops if s[-1].position.function == "refresh_tss_limit"]
    assert inside
    assert all(s[0].position.preemption_off and not s[-1].position.preemption_off for s in inside)


def test_an_allocation_names_its_class() -> None:
    """The stop before an allocation tells which heap it takes from; no other stop does."""
    stops, _ = collect(make(), "make_block")
    assert [s[-1].position.allocates for s in stops] == [Block.__name__, *[""] * 8]


def test_references_end_with_the_last_use() -> None:
    """A local pointer is a reference until its last use, not until the method returns."""
    system = make()
    collect(system, "ioperm", WHOLE_MAP, True)
    stops, _ = collect(system, "exit")
    held = {text: s[-1].references for s in stops for text, _ in described([s], Tiny.exit)}
    block = system.pools["Block"].objects[0]
    assert block not in held["block = task.block"]
    assert block in held["task.block = NULL"]
    assert block in held["self.free(block)"]
    assert system.pools["Block"].used == [False, False]


def test_a_bulk_operation_holds_the_objects_it_works_on() -> None:
    """While a copy goes on its source stays referenced though no variable names it."""
    system = make()
    collect(system, "ioperm", WHOLE_MAP, True)
    task, cpu = system.threads[0].record, system.processors[0].record
    run = steps(system.design, "switch_to", (cpu, task, task))
    copying = [s[-1] for s in run if s[-1].position.part is not None]
    assert [frame.position.part for frame in copying] == [0, 1]
    assert all(any(r is task.block for r in frame.references) for frame in copying)


def test_a_negative_difference_is_a_crash() -> None:
    """Numbers of the language are unsigned: going below zero is reported where it happens."""
    system = make(Odd)
    system.threads[0].record.counter = 2
    with pytest.raises(OutOfRange, match="1 - 2 is negative"):
        collect(system, "local_difference")


def test_statements_stand_at_their_column() -> None:
    """A position has the file, and the column of the statement or of the test."""
    stops, _ = collect(make(), "make_block")
    position = stops[1][-1].position
    assert position.file == inspect.getsourcefile(Tiny)
    assert position.column == len("        if ")


@pytest.mark.parametrize("name", designs())
def test_stepped_and_whole_execution_end_in_the_same_state(name: str) -> None:
    """For every design, system calls run step by step do what the methods as they stand do."""
    design = designs()[name]
    scenario = Scenario(cpus=1, tasks=2, longs=2)
    whole = System(design, scenario, exact(design.layout, 2))
    stepped = System(design, scenario, exact(design.layout, 2), stepper=steps)
    range_ = {"first": 0, "end": 1}
    for event, arguments in (
        ("ioperm", range_ | {"turn_on": 1}),
        ("iopl", {"level": 3}),
        ("switch", {"following": 1}),
        ("ioperm", {"first": 1, "end": 2, "turn_on": 0}),
        ("switch", {"following": 0}),
        ("ioperm", range_ | {"turn_on": 0}),
        ("iopl", {"level": 0}),
    ):
        ends = [finish(s, Action(0, event, tuple(arguments.items()))) for s in (whole, stepped)]
        assert ends[0] == ends[1]
        assert state(whole) == state(stepped)
        if ends[0] is not None:
            break


def finish(system: System, action: Action) -> type[KernelCrash] | None:
    """Let something happen and go on until no kernel code is left, or it crashes."""
    try:
        system.apply(action)
        processor = system.processors[0]
        while processor.switching or system.current(processor).steps is not None:
            system.apply(Action(0, "step"))
    except KernelCrash as crash:
        return type(crash)
    return None


def state(system: System) -> object:
    """Return what the system calls changed."""
    processor = system.processors[0]
    return (
        [t.mode for t in system.threads],
        [(t.grants.ports.tobytes(), t.grants.iopl, t.result) for t in system.threads],
        processor.tss_view(system.design).image.tobytes(),  # type: ignore[union-attr]  # an array
        [pool.used for pool in system.pools.values()],
    )
