"""Tests of the export as Promela: its names, its text, and Spin against a simple interpreter."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support import spin
from tests.support.translate.interpreter import Interpreter

from iopermit.designs import designs, find
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.machine_state import IoMapBase
from iopermit.system.scenario import Scenario
from iopermit.translate.model.builder import binary, candidate, either, equal, every
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.nodes import (
    Check,
    Const,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    Select,
    StepParameter,
    Stmt,
    Store,
    Temp,
    Unshared,
)
from iopermit.translate.promela.export import export
from iopermit.translate.promela.names import field_names
from iopermit.translate.promela.process import with_choice
from iopermit.translate.promela.statements import Printer
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iopermit.system.design import Own

ONE_TASK = Scenario(1, 1, 1, ALL_EVENTS)
PC = Field("task", "pc", 8)
FLAG = Field("task", "flag", 1, "bool")
MAP = Field("task", "map", 3, "ref", "Map")
IN_USE = Field("Map", "in_use", 1, "bool")
NAMES = {PC: "task_pc", FLAG: "task_flag", MAP: "task_map", IN_USE: "Map_in_use"}
TASK = StepParameter("task")


@pytest.fixture
def printer() -> Printer:
    """Give a printer for a model with one task field of each kind."""
    return Printer(NAMES, {"task": [PC, FLAG, MAP], "Map": [IN_USE]}, goes_on=PC)


def exported(design_id: str, scenario: Scenario = ONE_TASK) -> str:
    """Export a design."""
    model = translate(find(design_id), scenario)
    return export(model, initial_values(scenario, model), title=design_id)


# Names.


@pytest.mark.parametrize("design_id", designs())
def test_names_are_unique_identifiers(design_id: str) -> None:
    """Every field of every design gets its own name, which Promela accepts."""
    model = translate(find(design_id), Scenario(2, 2, 2, ALL_EVENTS))
    names = field_names(model.fields)
    assert len(set(names.values())) == len(model.fields)
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names.values())


def test_names_are_short_where_that_is_unique() -> None:
    """A local variable is named by entry point and own name, with calls only where needed."""
    full = ("ioperm.longs", "ioperm.20:copy.longs", "ioperm.30:copy.@124.8.long", "exit.9:put.map")
    fields = [Field("task", name, 1, local=True) for name in full]
    assert list(field_names(fields).values()) == [
        "task_ioperm_longs",
        "task_ioperm_20_copy_longs",
        "task_ioperm_long",
        "task_exit_map",
    ]


def test_names_that_collide_are_numbered() -> None:
    """Two fields whose names differ only in punctuation stay apart."""
    fields = [Field("task", name, 1) for name in ("a.b", "a_b")]
    assert len(set(field_names(fields).values())) == 2


# Expressions and statements.


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (Load(FLAG, TASK), "task_flag[running(c)]"),
        (equal(Load(PC, Const(1)), 4), "(task_pc[1] == DEAD)"),
        (equal(Load(PC, Const(1)), 7), "(task_pc[1] == 7)"),
        (equal(Load(FLAG, TASK), 0), "(!task_flag[running(c)])"),
        (equal(Load(MAP, TASK), 0), "(task_map[running(c)] == 0)"),
        (Load(IN_USE, binary("sub", Load(MAP, Const(0)), Const(1))), "Map_in_use[task_map[0] - 1]"),
        (binary("and", Load(MAP, TASK), Const(2)), "(task_map[running(c)] & 2)"),
        (
            Select(Load(FLAG, TASK), Const(1), StepParameter("cpu")),
            "(task_flag[running(c)] -> 1 : c)",
        ),
        (binary("and", Mask("free", "Map"), Mask("counters")), "(free_Map & counters)"),
    ],
)
def test_expressions(printer: Printer, expression: Select, text: str) -> None:
    """Operators, fields, masks and named task states are printed as Promela writes them."""
    assert printer.value(expression) == text


def test_truth_values_are_joined_without_evaluating_all(printer: Printer) -> None:
    """Conjunctions of truth values use && and ||, so that an index is only used once checked."""
    flag = Load(FLAG, Const(0))
    joined = either(every(flag, equal(Load(MAP, Const(0)), 3), flag), flag)
    assert printer.value(joined) == (
        "((task_flag[0] && (task_map[0] == 3) && task_flag[0]) || task_flag[0])"
    )


def test_an_expression_of_the_reductions_is_refused(printer: Printer) -> None:
    """What only the search's reductions ask cannot slip into an export."""
    with pytest.raises(TypeError):
        printer.value(Unshared("Map", Const(1), ()))


def test_a_failed_check_has_no_other_effect(printer: Printer) -> None:
    """Consecutive checks become one condition, and stores happen only if all are passed."""
    body: tuple[Stmt, ...] = (
        Check(equal(Load(MAP, TASK), 0), "map is NULL"),
        Check(Load(FLAG, TASK), "flag is set"),
        Store(FLAG, TASK, Const(1)),
        Goto(9),
    )
    assert printer.body(body) == [
        "if",
        ":: (task_map[running(c)] == 0) || /* map is NULL */",
        "   task_flag[running(c)] -> /* flag is set */",
        "   globals_bad = CRASH",
        ":: else ->",
        "   task_flag[running(c)] = 1;",
        "   task_pc[running(c)] = 9;",
        "fi;",
    ]


def test_a_check_in_a_condition_ends_the_step(printer: Printer) -> None:
    """After a conditional check nothing happens if it failed; temporaries are zero again."""
    checked = If(Temp("t7"), (Check(Load(FLAG, TASK), "*/ flag"),))
    body: tuple[Stmt, ...] = (Let(Temp("t7"), Load(FLAG, Const(0))), checked, Goto(4))
    lines = printer.body(body)
    assert lines[0] == "temporary_1 = task_flag[0];"
    assert lines[-1] == "temporary_1 = 0;"
    assert lines[-6:-1] == [
        "if",
        ":: globals_bad != 0",
        ":: else ->",
        "   task_pc[running(c)] = DEAD;",
        "fi;",
    ]
    assert "   :: task_flag[running(c)] -> /* * / flag */" in lines


def test_nothing_follows_the_end_of_a_step(printer: Printer) -> None:
    """A body that goes on after a Goto is refused instead of being printed wrongly."""
    with pytest.raises(ValueError, match="goes on"):
        printer.body((If(Load(FLAG, TASK), (Goto(5),)), Store(FLAG, TASK, Const(0)), Goto(6)))


def test_a_rule_without_a_program_counter_goes_nowhere(printer: Printer) -> None:
    """A Goto where there is no context to continue is refused."""
    with pytest.raises(ValueError, match="program counter"):
        replace(printer, goes_on=None).body((Goto(5),))


@pytest.mark.parametrize("choice", range(3))
def test_outcomes_are_simplified_without_changing_them(choice: int) -> None:
    """The guard of an allocation, specialised to one slot, means what it meant."""
    guard = Select(
        equal(StepParameter("choice"), 2),
        Const(1),
        candidate(Mask("free", "Map"), 2, StepParameter("choice")),
    )
    simple = with_choice(guard, choice)
    assert "choice" not in str(simple)
    for free in range(4):
        for referenced in range(4):
            expected = choice == 2 or (
                free >> choice & 1
                and (referenced >> choice & 1 or not free & ~referenced & ((1 << choice) - 1))
            )
            masks = {"free_Map": free, "referenced_Map": referenced}
            text = Printer({}, {}).value(simple)
            python = text.replace("&&", "and").replace("||", "or").replace("!", "not ")
            assert bool(eval(python, masks)) == bool(expected)  # noqa: S307 - our own text


# The whole file.


def test_the_file_tells_how_to_run_it_and_shows_the_design() -> None:
    """The header has the commands, and every design statement stands at its step."""
    text = exported("linux-v2-06")
    assert text.startswith("/*\n * linux-v2-06\n")
    assert "spin -a -o2 FILE" in text
    model = translate(find("linux-v2-06"), ONE_TASK)
    sites = [step.site for step in model.steps.values() if step.site]
    assert sites
    missing = [
        s for s in sites if f"{s.function} (linux/{s.file.split('/')[-1]}:{s.line}): " not in text
    ]
    assert not missing
    assert all(site.text.replace('"', "'") in text for site in sites)


def test_the_file_is_the_same_every_time() -> None:
    """Exports can be kept and compared: nothing in them depends on the run or the machine."""
    first = exported("linux-6.16")
    assert first == exported("linux-6.16")
    assert "/src/" not in first


@pytest.mark.parametrize("design_id", designs())
def test_spin_accepts_large_scenarios(
    design_id: str, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """No limit of Spin's language is met where users are: 2 CPUs, 3 tasks, 2 longs, all events."""
    (tmp_path / "model.pml").write_text(exported(design_id, Scenario()), encoding="utf-8")
    command = [str(require("spin")), "-a", "model.pml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Spin against the interpreter.


@pytest.mark.parametrize(
    ("design_id", "bounds", "events"),
    [
        ("linux-2.4.20", (2, 2, 1), {Event.IOPERM, Event.EXIT}),
        ("linux-2.6.9", (1, 1, 1), ALL_EVENTS),
        ("linux-2.6.10-L2", (1, 1, 1), ALL_EVENTS),
        ("linux-v2-06", (1, 2, 1), {Event.FORK, Event.FORK_FAILS, Event.IOPERM}),
        ("linux-5.5", (2, 1, 1), {Event.IOPL, Event.IOPERM}),
    ],
)
def test_spin_agrees_with_the_interpreter(
    design_id: str,
    bounds: tuple[int, int, int],
    events: set[Event],
    require: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Spin finds the states, transitions and verdict that the model itself has."""
    scenario = Scenario(*bounds, frozenset(events))
    model = translate(find(design_id), scenario)
    initial = initial_values(scenario, model)
    theirs = spin.search(require, export(model, initial), tmp_path)
    expected = Interpreter(model, initial).explore(limit=200_000)
    assert (theirs.states, theirs.transitions) == (expected.states, expected.transitions)
    assert theirs.violated == any(expected.verdicts[kind] for kind in range(1, 5))


class OpenAtBoot(find("linux-5.4")):  # type: ignore[misc]  # a design that is found is a class
    """A kernel that lets every CPU come up with every port open."""

    id = "open-at-boot"

    def bring_up(self, cpu: Own) -> None:
        """Make the base valid and deny nothing."""
        cpu.tss.io_map_base = IoMapBase.VALID


def test_initial_state_is_judged(require: Callable[[str], Path], tmp_path: Path) -> None:
    """A design that violates the specification before anything happens fails in Spin, too."""
    model = translate(OpenAtBoot, ONE_TASK)
    theirs = spin.search(require, export(model, initial_values(ONE_TASK, model)), tmp_path)
    assert theirs.violated
    assert theirs.states == 1
