"""Has every checker judge one design, and compares what they say."""

from __future__ import annotations

import random
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.judging import crosschecks
from tools.fuzz_designs.judging.configurations import CONFIGURATIONS, Made, Searches
from tools.fuzz_designs.judging.outcome import Finding, Outcome
from tools.fuzz_designs.judging.states import different_states

from iopermit.search.counterexample.counterexamples import counterexample
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tools.fuzz_designs.generation.case import Case

    from iopermit.system.design import Design

_ATTEMPTS: Final = 4
"""How often a scenario that is too large is made smaller."""


class Judge:
    """Judges one case."""

    def __init__(self, case: Case, index: int, slow: Collection[str] = ()) -> None:
        """Prepare; ``slow`` names the checkers that are asked though they take seconds."""
        self.case, self.slow = case, slow
        self.outcome = Outcome(index, case.about)

    def judge(self) -> Outcome:
        """Return what all checkers say."""
        started = time.monotonic()
        with design_of(self.case.source) as loaded:
            try:
                self._judge(load_design(str(loaded)))
            except DesignError as error:
                self.outcome.verdict, self.outcome.note = "refused", error.message
            except Exception:  # noqa: BLE001 - whatever else ends a search is a finding
                self._add("internal", "none", traceback.format_exc(limit=-6))
        self.outcome.seconds = round(time.monotonic() - started, 3)
        return self.outcome

    def reduce(self) -> None:
        """Only make the scenario smaller until it can be searched to its end, as judging does."""
        with design_of(self.case.source) as loaded:
            try:
                self._plain(load_design(str(loaded)))
            except Exception:  # noqa: BLE001 - then it is what was judged
                return

    def _add(self, kind: str, configuration: str, text: str) -> None:
        self.outcome.findings.append(Finding(kind, configuration, text))  # type: ignore[arg-type]  # one of the literals

    def _judge(self, design: type[Design]) -> None:
        searches, plain = self._plain(design)
        outcome = self.outcome
        outcome.verdict, outcome.kinds = plain.verdict, sorted(plain.kinds)
        outcome.states, outcome.note = plain.result.states, plain.reason
        for name in CONFIGURATIONS:
            if name != "none" and searches.has_effect(name):
                self._compare(name, plain, searches)
        if plain.exhausted:
            self._threads(searches)
        for check in crosschecks.CHECKS:
            if check.slow and check.name not in self.slow:
                continue
            try:
                text = check.run(searches, plain, random.Random(self.outcome.index))
            except Exception:  # noqa: BLE001 - as above
                self._add("internal", check.name, traceback.format_exc(limit=-6))
                continue
            if text is not None:
                self.outcome.checks.append(check.name)
            if text:
                self._add(check.name, "none", text)

    def _plain(self, design: type[Design]) -> tuple[Searches, Made]:
        """Search without reductions; with fewer events if a limit is reached."""
        rng = random.Random(self.outcome.index)
        scenario = self.case.scenario
        for _ in range(_ATTEMPTS):
            searches = Searches(design, scenario)
            plain = searches.run("none")
            if plain.exhausted or len(scenario.events) == 1:
                break
            dropped = rng.choice(sorted(scenario.events, key=lambda e: e.name))
            scenario = replace(scenario, events=scenario.events - {dropped})
        self.case = replace(self.case, scenario=searches.scenario)
        return searches, plain

    def _compare(self, name: str, plain: Made, searches: Searches) -> None:
        try:
            made = searches.run(name)
        except Exception:  # noqa: BLE001 - as above
            self._add("internal", name, traceback.format_exc(limit=-6))
            return
        self.outcome.checks.append(name)
        finding = compare(plain, made, garbage=searches.scenario.garbage)
        if finding is not None:
            self.outcome.findings.append(finding)

    def _threads(self, searches: Searches) -> None:
        self.outcome.checks.append("threads")
        for name in ("none", "all"):
            if name not in searches.made:
                continue
            one, both = searches.made[name], searches.run_threads(name, 2)
            if not alike(one, both, counts=name == "none"):
                self._add("threads", name, f"{one.words}; with two threads: {both.words}")


def alike(one: Made, both: Made, *, counts: bool) -> bool:
    """Return whether two threads find what one does, the same number of states if ``counts``.

    Each thread has half of the room, so that they may reach a limit where one just does not.
    """
    if not (one.exhausted and both.exhausted):
        whole, part = (one, both) if one.exhausted else (both, one)
        return not whole.exhausted or part.kinds <= whole.kinds
    sizes = [(made.result.states, made.result.transitions) for made in (one, both)]
    return one.kinds == both.kinds and (not counts or sizes[0] == sizes[1])


def compare(plain: Made, made: Made, *, garbage: bool) -> Finding | None:
    """Return what is different between a search without reductions and one with some.

    States are not compared beyond ``garbage``: how many lost objects there are means nothing.

    Of a search that a limit ended only a violation counts, where there is none. Where the design
    holds, every step that is executed without reductions must be executed with them: it could be
    an assertion.
    """
    said = f"{plain.words}; {made.words}"
    if not (plain.exhausted and made.exhausted):
        limited, other = (plain, made) if made.exhausted else (made, plain)
        wrong = other.exhausted and limited.kinds and not other.kinds
        return Finding("verdict", made.name, said) if wrong else None
    if plain.verdict != made.verdict:
        return Finding("verdict", made.name, said)
    if _kinds_differ(plain, made):
        return Finding("kinds", made.name, said)
    if not plain.kinds and plain.reached - made.reached:
        return Finding("reached", made.name, _where(plain, made))
    text = different_states(plain, made) if garbage else ""
    return Finding("states", made.name, text) if text else None


def _kinds_differ(plain: Made, made: Made) -> bool:
    """Return whether a kind of violation would be reported that is none.

    Merged steps can run on past a violation; the schedule that is reported ends with the first.
    That there may be fewer kinds, because a violating state is not continued, is so only in a
    search that is content with one: see `every_violation` in crosschecks.
    """
    if plain.kinds == made.kinds:
        return False
    paths = [path for _, path in made.result.shortest_first()]
    reported = {counterexample(made.search, plain.native, path).kind for path in paths}
    return not reported <= plain.kinds


def _where(plain: Made, made: Made) -> str:
    steps = plain.native.compiled.model.steps
    sites = {steps[pc].site for pc in plain.reached - made.reached}
    lines = sorted((s.line, s.text.strip()) for s in sites if s is not None)
    return "never executed: " + "; ".join(f"line {line}: {text}" for line, text in lines)


@contextmanager
def design_of(source: str) -> Iterator[Path]:
    """Write a design to a file of its own, for as long as it is judged."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "design.py"
        file.write_text(source, encoding="utf-8")
        yield file
