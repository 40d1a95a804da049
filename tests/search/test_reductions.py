"""Tests that the reductions change no verdict, what they save, and which bugs are found."""

import itertools
from typing import NamedTuple

import pytest
from tests.support.search.searching import search_of

from iopermit.designs import designs, find
from iopermit.search.exploration.design_search import DesignSearchResult
from iopermit.system.design import Design
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import (
    DEAD_FIELDS,
    LATE_ARGUMENTS,
    MERGING,
    NO_REDUCTIONS,
    REDUCTIONS,
    Reductions,
)

EVENTS = ALL_EVENTS - {Event.PREEMPT}
TASKS = Scenario(1, 2, 1, EVENTS)
CPUS = Scenario(2, 1, 1, EVENTS)
ALL, NONE = Reductions(), NO_REDUCTIONS
SINGLE = [NONE.with_(reduction) for reduction in REDUCTIONS]


SEPARATELY = {"linux-2.6.10", "linux-5.4", "linux-5.5-xen-pv"}
"""Designs for which each reduction is tried by itself with several tasks too: it takes long."""


class Golden(NamedTuple):
    """What an exhaustive search finds: states without and with reductions, kinds of violation."""

    name: str
    scenario: Scenario
    plain: int
    reduced: int
    kinds: str

    def __str__(self) -> str:
        """Return the name of the case."""
        return f"{self.name}, {self.scenario.cpus} CPUs, {self.scenario.tasks} tasks"


GOLDEN = [
    Golden("linux-2.4.20", TASKS, 62122, 1259, "leak"),
    Golden("linux-2.4.20", CPUS, 1658, 126, "leak"),
    Golden("linux-2.6.8", TASKS, 346922, 2176, "garbage"),
    Golden("linux-2.6.8", CPUS, 3484, 58, ""),
    Golden("linux-2.6.9", TASKS, 411497, 2451, "garbage"),
    Golden("linux-2.6.9", CPUS, 6525, 140, "leak loss"),
    Golden("linux-2.6.10-L1", TASKS, 881925, 2816, "garbage"),
    Golden("linux-2.6.10-L1", CPUS, 14817, 72, ""),
    Golden("linux-2.6.10-L2", TASKS, 1123713, 7108, "garbage leak loss"),
    Golden("linux-2.6.10-L2", CPUS, 16941, 342, "leak loss"),
    Golden("linux-2.6.10", TASKS, 1066421, 3966, "garbage"),
    Golden("linux-2.6.10", CPUS, 30525, 228, "leak loss"),
    Golden("linux-5.4", TASKS, 3077636, 22427, "crash leak loss"),
    Golden("linux-5.4", CPUS, 9326, 242, ""),
    Golden("linux-v2-06", TASKS, 5522702, 54252, "crash loss"),
    Golden("linux-v2-06", CPUS, 24078, 524, ""),
    Golden("linux-v2-06-reviewed", TASKS, 5548034, 54252, "crash loss"),
    Golden("linux-v2-06-reviewed", CPUS, 24114, 524, ""),
    Golden("linux-v2-06-reviewed+prev_max", TASKS, 3467318, 18259, "crash loss"),
    Golden("linux-v2-06-reviewed+prev_max", CPUS, 16312, 242, ""),
    Golden("linux-ecc7e37d", TASKS, 3302252, 14113, "crash loss"),
    Golden("linux-ecc7e37d", CPUS, 16144, 200, ""),
    Golden("linux-060aa16f", TASKS, 112746, 1462, "crash"),
    Golden("linux-060aa16f", CPUS, 3648, 124, "crash"),
    Golden("linux-060aa16f+nullcheck", TASKS, 53073744, 47356, "crash leak loss"),
    Golden("linux-060aa16f+nullcheck", CPUS, 363708, 964, ""),
    Golden("linux-5.5", TASKS, 6855906, 6498, "garbage loss"),
    Golden("linux-5.5", CPUS, 148805, 233, ""),
    Golden("linux-5.5-xen-pv", TASKS, 7146454, 6697, "garbage leak loss"),
    Golden("linux-5.5-xen-pv", CPUS, 218026, 371, "leak"),
    Golden("linux-5.7", TASKS, 6621343, 5506, "crash"),
    Golden("linux-5.7", CPUS, 148805, 233, ""),
    Golden("linux-5.8", TASKS, 6621343, 5506, "crash"),
    Golden("linux-5.8", CPUS, 148805, 233, ""),
    Golden("linux-5.8-xen-pv", TASKS, 6352082, 4348, "crash"),
    Golden("linux-5.8-xen-pv", CPUS, 68271, 114, ""),
    Golden("linux-6.16", TASKS, 6793747, 5050, ""),
    Golden("linux-6.16", CPUS, 153351, 233, ""),
    Golden("linux-6.16+preempt_off", TASKS, 6793747, 5050, ""),
    Golden("linux-6.16+preempt_off", CPUS, 153351, 233, ""),
    Golden("fixture-tss-limit", TASKS, 152734, 1758, "garbage leak"),
    Golden("fixture-tss-limit", CPUS, 2082, 54, "leak"),
    Golden("fixture-xen-iopl", TASKS, 517004, 3806, "garbage leak loss"),
    Golden("fixture-xen-iopl", CPUS, 10286, 175, "leak loss"),
]


def explore(design: type[Design], scenario: Scenario, reductions: Reductions) -> DesignSearchResult:
    """Search everything, going on after violations."""
    result = search_of(design, scenario, reductions=reductions, exhaustive=True).result
    assert result.exhausted
    return result


def kinds(result: DesignSearchResult) -> str:
    """Return the kinds of violations found."""
    return " ".join(sorted(result.violations))


def test_every_design_has_its_golden_numbers() -> None:
    """The table has both scenarios of every design."""
    assert {(g.name, g.scenario) for g in GOLDEN} == set(
        itertools.product(designs(), (TASKS, CPUS))
    )


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_golden_numbers(golden: Golden) -> None:
    """Without and with all reductions the search visits the recorded numbers of states."""
    plain = explore(find(golden.name), golden.scenario, NONE)
    reduced = explore(find(golden.name), golden.scenario, ALL)
    assert (plain.states, reduced.states) == (golden.plain, golden.reduced)
    assert kinds(plain) == kinds(reduced) == golden.kinds


@pytest.mark.parametrize(
    "golden", [g for g in GOLDEN if g.scenario == CPUS or g.name in SEPARATELY], ids=str
)
def test_each_reduction_by_itself_changes_no_verdict(golden: Golden) -> None:
    """Each reduction alone leaves the kinds of violations, and only takes states away."""
    for reductions in SINGLE:
        result = explore(find(golden.name), golden.scenario, reductions)
        assert kinds(result) == golden.kinds
        assert golden.reduced <= result.states <= golden.plain


@pytest.mark.parametrize("name", ["linux-060aa16f+nullcheck", "linux-6.16"])
def test_each_reduction_can_be_left_out(name: str) -> None:
    """With any one reduction off the kinds of violations are the same, the states not fewer."""
    for scenario in (TASKS, CPUS):
        everything = explore(find(name), scenario, ALL)
        for reduction in REDUCTIONS:
            result = explore(find(name), scenario, ALL.without(reduction))
            assert kinds(result) == kinds(everything)
            assert result.states >= everything.states


@pytest.mark.parametrize("name", ["linux-5.4", "linux-6.16", "linux-6.16+preempt_off"])
def test_reductions_agree_with_preemption(name: str) -> None:
    """Where tasks are preempted in the kernel the reductions change no verdict either."""
    events = frozenset({Event.IOPERM, Event.EXIT, Event.PREEMPT})
    everything = explore(find(name), Scenario(1, 2, 1, events), ALL)
    for reduction in (MERGING, DEAD_FIELDS, LATE_ARGUMENTS):
        off = ALL.without(reduction)
        result = explore(find(name), Scenario(1, 2, 1, events), off)
        assert kinds(result) == kinds(everything)
        assert result.states >= everything.states
    assert ("leak" in everything.violations) is (name == "linux-6.16")


@pytest.mark.parametrize("name", ["linux-v2-06", "linux-v2-06-reviewed", "linux-ecc7e37d"])
def test_partial_copies_leak_with_two_longs(name: str) -> None:
    """The leaks of partial copies (bugs B1, B2, B2') need two longs, and are found with them."""
    events = frozenset({Event.IOPERM, Event.MIGRATE})
    assert kinds(explore(find(name), Scenario(1, 2, 1, events), ALL)) == ""
    assert kinds(explore(find(name), Scenario(1, 3, 2, events), ALL)) == "leak"


def test_the_repaired_dirty_mark_does_not_leak() -> None:
    """With prev_max raised by ioperm too, the reviewed patch survives what the others do not."""
    scenario = Scenario(1, 3, 2, frozenset({Event.IOPERM, Event.MIGRATE}))
    assert kinds(explore(find("linux-v2-06-reviewed+prev_max"), scenario, ALL)) == ""


@pytest.mark.parametrize(
    ("name", "option", "scenario", "kind"),
    [
        ("linux-5.4", "no_limit_refresh", CPUS, "loss"),
        ("linux-5.4", "no_forced_reload", CPUS, "loss"),
        ("linux-5.5", "no_iopl_branch", CPUS, "crash"),
        ("linux-5.5-xen-pv", "no_update_hypercall", CPUS, "loss"),
    ],
)
def test_switches_show_their_bugs(name: str, option: str, scenario: Scenario, kind: str) -> None:
    """Each switch of a design brings back its bug (B4, B6, B7, B16)."""
    found = explore(with_options(find(name), {option: True}), scenario, ALL)
    assert kind in found.violations
    assert kind not in explore(find(name), scenario, ALL).violations
