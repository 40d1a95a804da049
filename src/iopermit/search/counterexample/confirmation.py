"""Confirms the counterexamples of a search at full size, or says that it had too few longs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import TooFewLongs, UnrepeatedRefusals
from iopermit.engine.errors import ReplayError, UnrepeatedError
from iopermit.engine.facts import Facts, concerning
from iopermit.engine.trace import Replay, Violation
from iopermit.search.counterexample.livelock import continued
from iopermit.search.counterexample.recorder import concretions, record
from iopermit.system.crash import HeapExhaustedError

if TYPE_CHECKING:
    from iopermit.search.counterexample.counterexamples import Counterexamples, DesignCounterexample
    from iopermit.search.problem import Problem
    from iopermit.search.refinement import Searched


@dataclass(frozen=True)
class Confirmation(Replay):
    """A replay that shows the violation that the search found."""

    violation: Violation
    statement: int = 0
    """Number of the statement that is to blame in the search."""

    def examined(self, *, needs_privilege: bool | None) -> Confirmation:
        """Return the same with whether the task that gains ports needs the privilege."""
        violation = replace(self.violation, needs_privilege=needs_privilege)
        return replace(self, violation=violation)


@dataclass(frozen=True)
class Confirmed:
    """A search with what full size confirms of what it found, the shortest schedule first."""

    search: Searched
    confirmations: tuple[Confirmation, ...]
    unconfirmed: TooFewLongs | UnrepeatedRefusals | None = None
    """What is left open by what full size does not confirm."""


def confirmed(found: Counterexamples) -> Confirmed:
    """Replay counterexamples at full size.

    A design may name a number of real longs, of which a long stands for more where there are few.
    What such a search finds need not be a violation. Nor need a row of refusals, which may come to
    an end. Else each must be confirmed.

    Raises:
        ReplayError: full size does not show a violation that it must show.
    """
    source = found.search.source
    exact_longs, scenario = source.model.exact_longs, source.problem.scenario
    confirmations: list[Confirmation] = []
    unconfirmed: TooFewLongs | UnrepeatedRefusals | None = None
    for one in found.counterexamples:
        try:
            with concerning(lambda one=one: about_schedule(one)):  # type: ignore[misc]  # its default is its type
                confirmations.append(confirm(source.problem, one))
        except UnrepeatedError as error:
            row = scenario.most_refusals
            unconfirmed = UnrepeatedRefusals(scenario.size, row, str(error))
        except ReplayError:
            if scenario.longs >= exact_longs:
                raise
            unconfirmed = TooFewLongs(scenario.size, exact_longs)
    return Confirmed(found.search, tuple(confirmations), unconfirmed)


def about_schedule(found: DesignCounterexample) -> Facts:
    """Return the steps of a counterexample, in the form in which verdicts are saved."""
    steps = [
        {
            "cpu": one.action.cpu,
            "event": one.action.event,
            "arguments": dict(one.action.arguments)
            | ({} if one.action.choice is None else {"choice": one.action.choice}),
            "label": one.label,
        }
        for one in found.schedule
    ]
    return {"kind": found.kind, "schedule": steps}


def confirm(problem: Problem, found: DesignCounterexample) -> Confirmation:
    """Replay a counterexample and require the kind of violation that the search found.

    Readable port numbers are tried first; then whole blocks of ports, which the longs of the
    search stand for exactly. A row of refusals is continued until everything repeats.

    Raises:
        UnrepeatedError: it comes to an end.
        ReplayError: neither shows a violation of that kind.
    """
    actions = [(t.action, t.label) for t in found.schedule]
    kind, problem_seen = found.kind, "it shows no violation"
    ended: UnrepeatedError | None = None
    for concretion in concretions(problem.design, problem.scenario):
        try:
            result = record(
                problem.design, problem.scenario, actions, concretion, finish=kind == "garbage"
            )
        except (ValueError, StopIteration, HeapExhaustedError) as error:
            problem_seen = str(error)
            continue
        if result.violation is None or seen(result.violation) != kind:
            continue
        if not result.violation.livelock:
            return Confirmation(result.trace, result.violation, found.statement)
        try:
            trace, violation = continued(problem.design, problem.scenario, actions, concretion)
        except UnrepeatedError as error:
            ended = error
        else:
            return Confirmation(trace, violation, found.statement)
    if ended is not None:
        raise ended
    message = f"the search found a {kind}, but the replay at full size disagrees: {problem_seen}"
    raise ReplayError(message)


def seen(violation: Violation) -> str:
    """Return the kind of a violation as the search calls it."""
    return "livelock" if violation.livelock else violation.kind
