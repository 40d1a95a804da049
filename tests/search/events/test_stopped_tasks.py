"""Tests of tasks that are stopped while another one reads what they have, and of early failures."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from tests.support.search.lockstep import Lockstep
from tests.support.search.searching import search_of

from iopermit.designs import designs, find
from iopermit.report.text import report
from iopermit.search.check import check
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs" / "readers.py"
READ: Final = frozenset({Event.IOPERM, Event.READ_MAP, Event.PREEMPT})
FAMILY: Final = frozenset({Event.IOPERM, Event.FORK, Event.EXIT, Event.READ_MAP})
EARLY: Final = frozenset({Event.IOPERM, Event.EXIT, Event.FORK_FAILS_EARLY})
FREEING: Final = frozenset({Event.IOPERM, Event.EXEC, Event.PREEMPT})


class Case(NamedTuple):
    """A search, and the kinds of violations that it finds."""

    design: str
    scenario: Scenario
    kinds: set[str]

    def __str__(self) -> str:
        """Return the name of the case."""
        return f"{self.design}, {self.scenario.size}"


CASES = [
    Case("OwnTables", Scenario(1, 2, 1, FAMILY | {Event.PREEMPT}), set()),
    Case("OwnTables", Scenario(2, 2, 1, READ), set()),
    Case("OnTheWayBack", Scenario(2, 2, 1, READ | {Event.MIGRATE}), set()),
    Case("CountedTables", Scenario(1, 3, 1, FAMILY), set()),
    Case("CountedTables", Scenario(2, 2, 1, FAMILY | EARLY), set()),
    Case("FreedWithTheCopy", Scenario(1, 2, 1, EARLY), {"crash"}),
    Case("OwnTables", Scenario(1, 2, 1, EARLY | {Event.PREEMPT}), set()),
    Case("LentTable", Scenario(1, 2, 1, FREEING | FAMILY), set()),
    Case("StaleTable", Scenario(1, 2, 1, FREEING | READ), {"crash"}),
    Case("StaleTable", Scenario(1, 2, 1, FREEING), set()),
]


def found(case: Case, reductions: Reductions) -> tuple[int, set[str]]:
    """Return how many states a search visits that goes on after violations, and their kinds."""
    design = load_design(f"{DESIGNS}:{case.design}")
    result = search_of(design, case.scenario, reductions=reductions, exhaustive=True).result
    assert result.exhausted
    return result.states, set(result.violations)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reductions_change_no_verdict(case: Case) -> None:
    """With no reduction, with each one alone and with all the kinds of violations are the same."""
    plain, kinds = found(case, NO_REDUCTIONS)
    assert kinds == case.kinds
    for reductions in (*(NO_REDUCTIONS.with_(each) for each in REDUCTIONS), Reductions()):
        states, kinds = found(case, reductions)
        assert kinds == case.kinds
        assert states <= plain


def test_a_third_task_frees_what_is_being_read() -> None:
    """Two tasks show nothing, three do: the reader is preempted, and the table freed under it."""
    design = load_design(f"{DESIGNS}:LentTable")
    assert check(design, Scenario(1, 3, 1, FREEING)).verdict == "holds"
    verdict = check(design, Scenario(1, 3, 1, FREEING | READ))
    assert (verdict.verdict, verdict.violation and verdict.violation.kind) == ("violated", "crash")
    text = "\n".join(line.text for line in report(verdict))
    assert "use after free: 'ready' of a freed object is read" in text
    assert "ptrace(): reads the map of task A: preempted" in text
    assert "confirmed: at full size" in text


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("OwnTables", Scenario(1, 3, 1, FAMILY | EARLY)),
        ("OnTheWayBack", Scenario(2, 3, 1, READ | {Event.MIGRATE})),
        ("CountedTables", Scenario(2, 3, 1, READ | FAMILY)),
    ],
)
def test_random_steps_agree(name: str, scenario: Scenario) -> None:
    """Two thousand random steps, stopped tasks among them, lead both readings to equal states."""
    walk = Lockstep(load_design(f"{DESIGNS}:{name}"), scenario).walk(2000, random.Random(1))
    assert walk.events["read-map"] > 5


READABLE: Final = [name for name, design in designs().items() if hasattr(design, "read_map")]


def test_linux_has_readers_since_it_has_the_register_set() -> None:
    """All designs from v5.4 on can be read; of those before nothing is known."""
    assert {"linux-5.4", "linux-v2-06", "linux-060aa16f", "linux-5.5-xen-pv"} <= set(READABLE)
    assert "linux-6.16+preempt_off" in READABLE
    assert not {name for name in READABLE if name.startswith(("linux-2", "fixture"))}


@pytest.mark.parametrize("name", ["linux-5.4", "linux-v2-06-reviewed+prev_max", "linux-6.16"])
def test_reading_a_map_of_linux_finds_nothing(name: str) -> None:
    """No task frees a map that is being read, and every statement that reads it is reached."""
    verdict = check(find(name), Scenario(1, 3, 1, FAMILY))
    assert verdict.verdict == "holds"
    assert verdict.uncovered.events == ()
    assert not [site for site in verdict.uncovered.statements if site.function == "read_map"]
