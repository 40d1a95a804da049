"""The generator: the same designs each time, in the language, with all that it has."""

from __future__ import annotations

import ast
import random
from collections import Counter
from typing import TYPE_CHECKING

from tools.fuzz_designs.generation.crossed import crossed
from tools.fuzz_designs.generation.generate import generate
from tools.fuzz_designs.judging.judge import design_of

from iopermit.system.events import Event
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from tools.fuzz_designs.generation.case import Case

CONSTRUCTS = (
    "with cpu.preemption_disabled():",
    "self.allocate(Map)",
    "self.allocate(Note)",
    "self.free(",
    "self.refcount_dec_and_test(",
    "refcnt += 1",
    "self.next_sequence()",
    ".extent()",
    "max(cpu.tss.dirty, longs)",
    ".copy_from(",
    ".change(ports, turn_on)",
    "def general_protection(",
    "def return_to_user(",
    "def vm_exit(",
    "def execve(",
    "def fork(",
    "def fork_failed(",
    "def fork_failed_early(",
    "def read_map(",
    "def exit(",
    "def map_in_force(",
    "def iopl_in_force(",
    "if cpu.open else",
    "self.globals.",
    "Ref[Task] = NULL",
    "while ",
    "for ",
    "self.grade(",
    "= self.settle(",
    " += 1",
    " is not NULL and ",
    "min(",
    "assert ",
)


def is_design(case: Case) -> bool:
    """Return whether a case is a design of the language, by translating it."""
    with design_of(case.source) as file:
        try:
            translate(load_design(str(file)), case.scenario)
        except DesignError:
            return False
    return True


def test_a_seed_and_a_number_make_a_design() -> None:
    """The same two give the same source and scenario; other numbers other designs."""
    first = [generate(3, index) for index in range(30)]
    assert first == [generate(3, index) for index in range(30)]
    assert len({case.source for case in first}) > 25
    assert first[0] != generate(4, 0)


def test_nearly_all_are_designs_of_the_language() -> None:
    """At most one of 25 is refused, but for crossed ones: what the generator writes has types."""
    cases = [case for index in range(30) if "crossed" not in (case := generate(5, index)).about]
    assert len(cases) > 20
    assert sum(not is_design(case) for case in cases) <= 1


def test_some_designs_have_expressions_exchanged() -> None:
    """One design of ten or so is crossed: still Python, with methods, and another text."""
    cases = [case for index in range(150) if "crossed" in (case := generate(8, index)).about]
    assert 5 < len(cases) < 30
    for case in cases:
        ast.parse(case.source)
        assert "    def " in case.source
    first = generate(8, 0).source
    changed = [crossed(random.Random(number), first) for number in range(8)]
    assert sum(text != ast.unparse(ast.parse(first)) + "\n" for text in changed) > 4


def test_designs_have_every_construct() -> None:
    """A few hundred designs have each construct of the language several times."""
    text = "\n".join(generate(6, index).source for index in range(300))
    missing = [construct for construct in CONSTRUCTS if text.count(construct) < 3]
    assert not missing


def test_scenarios_are_small_and_different() -> None:
    """Every size is at most 2 CPUs, 3 tasks, 2 longs, and most events occur."""
    scenarios = [generate(7, index).scenario for index in range(300)]
    assert {(s.cpus, s.tasks, s.longs) for s in scenarios} >= {(1, 2, 1), (2, 2, 1), (1, 1, 1)}
    assert all(s.cpus <= 2 and s.tasks <= 3 and s.longs <= 2 for s in scenarios)
    events = Counter(event.name for s in scenarios for event in s.events)
    assert {"preempt", "migrate", "fork", "exit", "exec", "iopl", "vm-exit"} <= events.keys()


def test_the_maps_of_stopped_tasks_are_read() -> None:
    """Some designs read what a target has, with the event that lets them and another task."""
    cases = [generate(9, index) for index in range(150)]
    read = [c for c in cases if Event.READ_MAP in c.scenario.events and "def read_map(" in c.source]
    assert sum(c.scenario.tasks > 1 and "target." in c.source for c in read) > 5
    early = [c for c in cases if Event.FORK_FAILS_EARLY in c.scenario.events]
    assert any("def fork_failed_early(" in c.source for c in early)
