"""Tests of designs that name a number of longs: what a scenario with fewer longs cannot tell."""

from pathlib import Path
from typing import Final

import pytest
from tests.support.designs.named_longs import TwoLongs

from iopermit.engine.ending import NamedLongs
from iopermit.engine.ladder import DESIGN_LADDER
from iopermit.report.words import warning
from iopermit.search.check import check
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.translation import translate

FILE: Final = Path(__file__).parents[1] / "support" / "designs" / "named_longs.py"
DESIGN: Final = load_design(f"{FILE}:TwoLongs")
RIGHT: Final = load_design(f"{FILE}:RightLongs")
ISA: Final = load_design(f"{FILE}:IsaLongs")
COMPARED: Final = load_design(f"{FILE}:ComparedLongs")
EVENTS: Final = frozenset({Event.IOPERM})


def test_a_map_that_is_shorter_than_the_named_longs_leaves_the_verdict_open() -> None:
    """With one long there is no machine on which two longs are copied: nothing was seen of it."""
    verdict = check(DESIGN, Scenario(1, 1, 1, EVENTS))
    assert (verdict.verdict, verdict.longs_needed) == ("undetermined", 3)
    assert verdict.reason.startswith("named_longs.py:42: the design names 2 longs")
    assert verdict.reason.endswith("search with --longs 3")
    assert not verdict.search.exhausted


def test_a_map_of_just_so_many_longs_holds_with_a_warning() -> None:
    """On a machine whose map has two longs all is copied; the report says what it cannot tell."""
    verdict = check(DESIGN, Scenario(1, 1, 2, EVENTS))
    assert (verdict.verdict, verdict.uncovered.longs) == ("holds", 3)
    assert warning(verdict).endswith("to tell them apart, search with --longs 3")


def test_a_longer_map_shows_what_is_not_copied() -> None:
    """With three longs the third is lost, as full size confirms."""
    verdict = check(DESIGN, Scenario(1, 1, 3, EVENTS))
    assert verdict.violation is not None
    assert (verdict.violation.kind, verdict.search.confirmed_full_size) == ("loss", True)


def test_where_nobody_chose_the_longs_the_design_does_not_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scenarios with more longs than the two that it names follow, and show what is lost."""
    assert max(longs for _, _, longs in DESIGN_LADDER) == 2
    small = [Scenario(1, 1, longs, EVENTS) for longs in (1, 2)]
    monkeypatch.setattr("iopermit.search.check.design_scenarios", lambda **_: iter(small))
    verdict = check(DESIGN)
    assert verdict.violation is not None
    assert (verdict.violation.kind, verdict.scenario.longs) == ("loss", 3)
    assert verdict.search.confirmed_full_size


def test_where_so_many_longs_show_nothing_the_verdict_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A design that names longs and is right does not hold: no scenario was searched to its end."""
    small = [Scenario(1, 1, longs, EVENTS) for longs in (1, 2)]
    monkeypatch.setattr("iopermit.search.check.design_scenarios", lambda **_: iter(small))
    monkeypatch.setattr("iopermit.search.check.MOST_OF_NAMED_LONGS", 1000)
    verdict = check(RIGHT)
    assert (verdict.verdict, verdict.longs_needed) == ("undetermined", 3)
    assert (verdict.scenario.longs, warning(verdict)) == (2, "")


@pytest.mark.parametrize(("longs", "remedy"), [(32, "with --longs 32"), (33, "at most 32")])
def test_a_number_of_longs_that_no_scenario_has_is_not_asked_for(longs: int, remedy: str) -> None:
    """Up to 32 longs the remedy is an option; beyond them there is none, and the text says so."""
    assert remedy in NamedLongs("1 CPU", longs).reason


def test_a_scenario_has_no_more_longs_than_the_map() -> None:
    """Sixteen longs of 64 ports are the whole of a map that ends with the ISA ports."""
    with pytest.raises(DesignError, match="a map has 16 longs, fewer than the 17"):
        check(ISA, Scenario(1, 1, 17, EVENTS))


def test_a_number_of_longs_that_is_compared_counts_as_named() -> None:
    """With one long, two of them are never there; with three the loss is found at full size."""
    verdict = check(COMPARED, Scenario(1, 1, 1, EVENTS))
    assert (verdict.verdict, verdict.longs_needed) == ("undetermined", 3)
    verdict = check(COMPARED, Scenario(1, 1, 3, EVENTS))
    assert verdict.violation is not None
    assert (verdict.violation.kind, verdict.search.confirmed_full_size) == ("loss", True)


@pytest.mark.parametrize(
    ("hook", "statement"),
    [
        ("bring_up", "cpu.tss.bitmap.fill(2)"),
        ("exec_", "task.map.copy_from(cpu.tss.bitmap, 2)"),
        ("exec_", "longs = task.map.extent(at_least=2)"),
        ("exec_", "task.longs = 2"),
        ("exec_", "task.has_map = task.longs < 2"),
        ("exec_", "task.has_map = 2 == task.longs"),
        ("exec_", "task.longs = max(task.longs, 2)"),
        ("exec_", "task.longs = task.longs if task.has_map else 2"),
    ],
)
def test_every_place_that_names_longs_counts(tmp_path: Path, hook: str, statement: str) -> None:
    """Wherever two longs are named, the model says that it takes three to be exact."""
    parameters = "" if hook == "bring_up" else ", task: Task"
    file = tmp_path / "names.py"
    lines = [
        "from iopermit.system.machine_state import Cpu",
        "from iopermit.system.records import Longs",
        f"from {TwoLongs.__module__} import TwoLongs",
        "class Task(TwoLongs.Task):",
        "    longs: Longs = 0",
        "class Names(TwoLongs):",
        "    id = 'names'",
        "    Task = Task",
        "    def ioperm(self, cpu, task, ports, turn_on) -> int:",
        "        return -5",
        "    def switch_to(self, cpu, previous, following) -> None:",
        "        pass",
        f"    def {hook.replace('exec_', 'execve')}(self, cpu: Cpu{parameters}) -> None:",
        f"        {statement}",
    ]
    if hook != "bring_up":
        lines += ["    def bring_up(self, cpu: Cpu) -> None:", "        pass"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    events = frozenset({Event.IOPERM, Event.EXEC})
    model = translate(load_design(f"{file}:Names"), Scenario(1, 1, 1, events))
    assert model.exact_longs == 3
