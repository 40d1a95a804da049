"""Finds out whether a row of refusals goes on for ever, by continuing it at full size.

A handler of #GP that says "again" about a granted port, which the processor then refuses once more,
is a loss if that never ends. So the search stops at a row of some length. Other CPUs may have acted
in between, and then it shows nothing yet. Here only the CPU of the task goes on, with nothing but
the refused instruction and the handler. If a state is met twice, it will be met again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from iopermit import arch
from iopermit.arch.lazy import np
from iopermit.engine.errors import UnrepeatedError
from iopermit.engine.violation import as_livelock
from iopermit.search.counterexample.fingerprint import Fingerprint, fingerprint
from iopermit.search.counterexample.recorder import record
from iopermit.system.crash import HeapExhaustedError, KernelCrash
from iopermit.system.events import Event
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action, action
from iopermit.system.simulation import System
from iopermit.system.specification import allowed_ports, finding
from iopermit.translate.native.shared.labels import TransitionKind, TransitionLabel
from iopermit.translate.stepping import generators as stepping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from iopermit.engine.trace import TraceStep, Violation
    from iopermit.system.concretion import Concretion
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

_MOST_RUNS: Final = 64
"""Ways on that are tried: an allocation in the handler may have several outcomes."""
_MOST_REFUSALS: Final = 256
"""Refusals up to which one way is followed."""
_MOST_STEPS: Final = 10_000
"""Steps of one call of the handler."""

Schedule: TypeAlias = "Sequence[tuple[Action, int]]"
"""Actions, each with the label of the transition that the search made."""


class Livelock(NamedTuple):
    """A row of refusals in which a state was met twice."""

    refusals: int
    """How many there are from one time to the next."""
    ports: NDArray[np.bool_]
    """The granted ports that are refused all the time."""


class Ended(NamedTuple):
    """A row of refusals that goes on no more, or was followed no further."""

    why: str


class Other(NamedTuple):
    """A row of refusals that leads to another violation."""


def continued(
    design: type[Design], scenario: Scenario, schedule: Schedule, concretion: Concretion
) -> tuple[tuple[TraceStep, ...], Violation]:
    """Continue a schedule that ends in a row of refusals, and return it with what it shows.

    That is the livelock, or another violation in which the row ends: that the handler gives up,
    for example. Then the schedule is longer than before.

    Raises:
        UnrepeatedError: the row just ends, or nothing repeats for long.
    """
    waiting: list[tuple[int, ...]] = [()]
    ends: dict[str, None] = {}
    for _ in range(_MOST_RUNS):
        if not waiting:
            break
        row = _Row(System(design, scenario, concretion, stepper=stepping.steps), schedule)
        result = row.follow(waiting.pop())
        waiting += row.alternatives
        if isinstance(result, Ended):
            ends[result.why] = None
            continue
        replayed = record(design, scenario, [*schedule, *row.taken][: row.shown], concretion)
        assert replayed.violation is not None  # the same schedule was just executed
        violation = replayed.violation
        if isinstance(result, Livelock):
            ports = tuple(arch.as_ranges(result.ports))
            violation = as_livelock(violation, ports, result.refusals)
        return replayed.trace, violation
    raise UnrepeatedError(" or ".join(ends))


@dataclass
class _Row:
    """One way to continue."""

    system: System
    schedule: Schedule
    taken: list[tuple[Action, int]] = field(default_factory=list)
    """What happened after the schedule, with the labels of the transitions."""
    alternatives: list[tuple[int, ...]] = field(default_factory=list)
    """Numbers of the outcomes of allocations that lead to other ways."""
    shown: int = 0
    """How many actions show what was found."""

    def __post_init__(self) -> None:
        for each, _ in self.schedule:
            self.system.apply(each)
        self._cpu = self.schedule[-1][0].cpu
        labels = [label for each, label in self.schedule if each.event == Event.FAULT.name]
        self._fault_label = labels[-1] if labels else 0
        self._outcomes: list[int] = []

    def follow(self, outcomes: tuple[int, ...]) -> Livelock | Ended | Other:
        """Go on; allocations have these outcomes, and then their first one."""
        met: dict[Fingerprint, int] = {}
        refused: list[NDArray[np.bool_]] = []
        self.shown = len(self.schedule)
        for number in range(_MOST_REFUSALS):
            ports = self._refused()
            if not ports.any():
                return Ended("then every port that was granted can be used")
            before = met.setdefault(fingerprint(self.system), number)
            if before < number:
                always = np.logical_and.reduce(refused[before:])
                if not always.any():
                    return Ended("each of the granted ports can be used at some time")
                return Livelock(number - before, always)
            refused.append(ports)
            result = self._refusal(outcomes)
            if result is not None:
                self.shown = len(self.schedule) + len(self.taken)
                return result
        return Ended(f"after {_MOST_REFUSALS} more nothing has repeated")

    def _refused(self) -> NDArray[np.bool_]:
        processor = self.system.processors[self._cpu]
        thread = self.system.current(processor)
        refused: NDArray[np.bool_] = thread.grants.allowed & ~allowed_ports(
            self.system, processor, thread
        )
        return refused

    def _refusal(self, outcomes: tuple[int, ...]) -> Ended | Other | None:
        """Let a granted port be refused once more, and the handler return to user mode."""
        following: Action | None = action(self._cpu, Event.FAULT.name, granted=1)
        label = self._fault_label
        for _ in range(_MOST_STEPS):
            if following is None:
                return None
            self.taken.append((following, label))
            try:
                self.system.apply(following)
            except HeapExhaustedError:
                return Ended("the model has no room for what the handler keeps")
            except KernelCrash:
                return Other()
            found = finding(self.system)
            if found is not None and not found.livelock:
                return Other()
            following = self._next_step(outcomes)
            choice = 0 if following is None else following.choice or 0
            label = TransitionLabel(self._cpu, TransitionKind.STEP, choice).encoded
        return Ended(f"the handler has not returned after {_MOST_STEPS} steps")

    def _next_step(self, outcomes: tuple[int, ...]) -> Action | None:
        steps = [a for a in enabled(self.system) if a.cpu == self._cpu and a.is_step]
        if len(steps) <= 1:
            return steps[0] if steps else None
        position = len(self._outcomes)
        number = outcomes[position] if position < len(outcomes) else 0
        if position >= len(outcomes):
            made = tuple(self._outcomes)
            self.alternatives += [(*made, other) for other in range(1, len(steps))]
        self._outcomes.append(number)
        return steps[number]
