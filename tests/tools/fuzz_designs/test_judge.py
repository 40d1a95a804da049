"""Judging: checkers that agree, and a reduction that forgets something, which is noticed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from tools.fuzz_designs.generation.case import Case
from tools.fuzz_designs.generation.generate import generate
from tools.fuzz_designs.judging import configurations, crosschecks
from tools.fuzz_designs.judging.configurations import CONFIGURATIONS, Searches
from tools.fuzz_designs.judging.finding import again, describe, smaller
from tools.fuzz_designs.judging.judge import Judge, alike, design_of
from tools.fuzz_designs.judging.outcome import Finding

from iopermit.search import compilation
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.fuzz_designs.judging.configurations import Made

    from iopermit.search.compilation import Translated
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.native.jit import Compiled

EXAMPLE = Path(__file__).parents[3] / "examples" / "my_kernel.py"
SCENARIO = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.EXIT}))
LEAKING = "            cpu.tss.io_map_base = IoMapBase.INVALID\n"


def case(*, leaks: bool = False) -> Case:
    """Return the example as a case; a leaking one keeps the map of a task that ends."""
    source = EXAMPLE.read_text(encoding="utf-8")
    assert LEAKING in source
    return Case(source.replace(LEAKING, "            pass\n") if leaks else source, SCENARIO, "")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reduction of dead fields also forget that anything but ending can happen."""
    compiled: Callable[[Translated, tuple[Assumption, ...]], Compiled] = compilation.compiled

    def forgetting(source: Translated, assumed: tuple[Assumption, ...]) -> Compiled:
        if source.problem.settings.reductions == CONFIGURATIONS["dead"]:
            rules = [r for r in source.model.user_rules if r.event == "exit"]
            source = replace(source, model=replace(source.model, user_rules=rules))
        return compiled(source, assumed)

    monkeypatch.setattr(configurations, "compiled", forgetting)


@pytest.mark.parametrize(("leaks", "verdict"), [(False, "holds"), (True, "violated")])
def test_all_agree_about_a_design_that_holds_and_one_that_leaks(
    leaks: bool, verdict: str, require: Callable[[str], Path]
) -> None:
    """Every checker is asked, Spin too, and none disagrees."""
    require("spin")
    outcome = Judge(case(leaks=leaks), 0, ["spin", "obligations"]).judge()
    assert (outcome.verdict, outcome.findings) == (verdict, [])
    asked = {"all", "all but symmetry", "symmetry", "merging", "dead", "hidden", "threads"}
    others = {"replay", "every"} if leaks else {"certificate", "obligations"}
    assert asked | {"walk", "spin"} | others == set(outcome.checks)


@pytest.mark.usefixtures("forgetful")
def test_a_reduction_that_forgets_is_noticed_where_the_design_leaks() -> None:
    """The verdict with the one wrong reduction is another, and it alone is named."""
    outcome = Judge(case(leaks=True), 0).judge()
    assert [f.key for f in outcome.findings] == [("verdict", "dead")]


@pytest.mark.usefixtures("forgetful")
def test_a_reduction_that_forgets_is_noticed_where_the_design_holds() -> None:
    """Steps that are never executed with the reduction are noticed without any violation."""
    outcome = Judge(case(), 0).judge()
    assert [f.key for f in outcome.findings] == [("reached", "dead")]
    assert "task.has_map = True" in outcome.findings[0].text


@pytest.mark.usefixtures("forgetful")
def test_a_disagreement_is_shrunk_and_written_down() -> None:
    """The shrunk design is smaller, still shows the disagreement, and is in the report."""
    finding = Finding("verdict", "dead", "")
    before = case(leaks=True)
    small, still = smaller(before, finding, 0, 10.0)
    assert len(small.source) < len(before.source)
    assert again(small, finding, 0) is not None
    text = describe(small, still, "seed 1, design 2")
    assert "seed 1, design 2: verdict (dead)" in text
    assert small.source.strip() in text


def test_what_is_no_design_is_refused() -> None:
    """A case that the language refuses is counted as refused, not as a disagreement."""
    source = case().source.replace("return 0", "return [p for p in range(3)]")
    outcome = Judge(Case(source, SCENARIO, ""), 0).judge()
    assert (outcome.verdict, outcome.findings) == ("refused", [])
    assert outcome.note


def test_an_import_that_raises_is_no_internal_error() -> None:
    """A design file that cannot be imported is refused as well."""
    outcome = Judge(Case("raise ValueError\n", SCENARIO, ""), 0).judge()
    assert (outcome.verdict, outcome.findings) == ("refused", [])


def test_a_large_scenario_is_made_smaller() -> None:
    """Where a limit would end the search, events are left out until it is exhausted."""
    large = replace(case(), scenario=Scenario(2, 3, 2))
    judge = Judge(large, 0)
    judge.reduce()
    assert judge.case.scenario.events < large.scenario.events


def test_generated_designs_can_be_judged() -> None:
    """Random designs get a verdict, and nothing ends in a traceback of the judge itself."""
    outcomes = [Judge(generate(11, index), index).judge() for index in range(4)]
    assert {o.verdict for o in outcomes} <= {"holds", "violated", "undetermined", "refused"}
    assert any(o.checks for o in outcomes)


def test_a_state_that_the_search_misses_refutes_its_certificate() -> None:
    """The states of a search that lost some, here the last, are no certificate."""
    with design_of(case().source) as file:
        searches = Searches(load_design(str(file)), SCENARIO)
        plain = searches.run("none")
        assert crosschecks.certified(searches, plain, random.Random(0)) == ""
        fewer = replace(plain, states=plain.states[: -plain.native.words])
        fewer.result.states -= 1
        searches.made.clear()
        assert "refuted" in str(crosschecks.certified(searches, fewer, random.Random(0)))


def test_a_walk_is_not_compared_where_one_long_stands_for_more_than_the_design_means() -> None:
    """With one long, `extent(at_least=1)` is the whole map in the model, a 1024th at full size."""
    searches = Searches(load_design("linux-2.6.10-L1"), SCENARIO)
    assert (searches.scenario.longs, searches.model.exact_longs) == (1, 2)
    assert crosschecks.walk(searches, searches.run("none"), random.Random(0)) is None


def made(states: int, *kinds: str, exhausted: bool = True) -> Made:
    """Return what `alike` looks at of a search."""
    result = SimpleNamespace(states=states, transitions=states)
    found = SimpleNamespace(kinds=set(kinds), exhausted=exhausted, result=result)
    return cast("Made", found)


def test_two_threads_are_compared_with_one() -> None:
    """Kinds and counts have to be the same, where no limit ended one of the searches."""
    assert alike(made(5), made(5), counts=True)
    assert not alike(made(5), made(4), counts=True)
    assert alike(made(5), made(4), counts=False)
    assert not alike(made(5, "leak"), made(5), counts=False)


def test_of_a_limited_search_a_violation_counts() -> None:
    """Two threads may reach a limit that one does not; what they find must be there too."""
    limited = made(4, exhausted=False)
    assert alike(made(5), limited, counts=True)
    assert alike(limited, made(5, "leak"), counts=False)
    assert not alike(made(5), made(4, "leak", exhausted=False), counts=True)
    assert not alike(made(4, "leak", exhausted=False), made(5), counts=True)
    assert alike(made(4, "leak", exhausted=False), limited, counts=True)
