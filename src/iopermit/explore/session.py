"""A design that a person steps through, at full size, beside the same state of the model."""

from __future__ import annotations

import inspect
import linecache
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.engine.violation import task_name
from iopermit.report.words import event_text
from iopermit.search.compilation import compiled_plainly, translated
from iopermit.search.counterexample.recorder import TraceRecorder, concretions
from iopermit.search.counterexample.transitions import transition
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.search.problem import Problem
from iopermit.system.crash import HeapExhaustedError
from iopermit.system.events import EVENTS
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Mode
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.model.nodes import VERDICTS
from iopermit.translate.native.shared.labels import TransitionKind, TransitionLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.trace import TraceStep, Violation
    from iopermit.search.exploration.memory import Words
    from iopermit.system.design import Design
    from iopermit.system.execution import Action
    from iopermit.system.scenario import Scenario

NO_VIOLATION: Final = VERDICTS[0]
_MODES: Final = {
    Mode.USER: "in user mode",
    Mode.KERNEL: "in the kernel",
    Mode.KERNEL_THREAD: "a kernel thread",
    Mode.DEAD: "which has exited",
}
_ENDS: Final = {
    "garbage": "memory is lost already; let the call that lost it return",
    "livelock": (
        "ports were refused so often in a row that `iopermit check` would look into whether it "
        "ever ends; go back to go another way"
    ),
}
"""Why nothing follows a state that the model takes for a violation, and full size not yet."""
_LONGEST: Final = 1000
"""Steps up to which a person can go; each is executed again when he goes back."""


class TooFarError(Exception):
    """A schedule cannot go on; ``str()`` says why."""


@dataclass(frozen=True)
class Choice:
    """Something that can happen next."""

    action: Action
    text: str


@dataclass(frozen=True)
class CpuChoices:
    """What can happen next on a CPU."""

    cpu: int
    doing: str
    choices: tuple[Choice, ...]


class Session:
    """The state that a person is at, and the schedule that led there.

    Args:
        design: the design.
        scenario: its bounds and events.
        options: the switches of the design that are set.

    Raises:
        DesignError: the design cannot be translated.
    """

    def __init__(
        self, design: type[Design], scenario: Scenario, options: tuple[str, ...] = ()
    ) -> None:
        self.design, self.scenario, self.options = design, scenario, options
        self.source = translated(Problem(design, scenario))
        self.native = NativeFunctions(compiled_plainly(self.source, NO_REDUCTIONS))
        self.schedule: list[tuple[Action, int]] = []
        self._restart()

    def _restart(self) -> None:
        # Whole blocks of ports: only with them full size and the model stay together for ever.
        _, exact = concretions(self.design, self.scenario)
        self.recorder = TraceRecorder(self.design, self.scenario, exact)
        self.recorder.check(None)
        self.states: list[Words] = [initial_state(self.native, self.source.initial)]

    @property
    def trace(self) -> Sequence[TraceStep]:
        """The steps until now."""
        return self.recorder.trace

    @property
    def violation(self) -> Violation | None:
        """What the state violates, if it does; then nothing more happens."""
        return self.recorder.violation

    @property
    def in_kernel(self) -> frozenset[str]:
        """The tasks that execute kernel code, or did when they were preempted."""
        threads = self.recorder.system.threads[: self.scenario.tasks]
        return frozenset(task_name(t.index) for t in threads if t.mode is Mode.KERNEL)

    def choices(self) -> list[CpuChoices]:
        """Return what can happen next, for one CPU after the other."""
        if self.violation is not None:
            return []
        possible = enabled(self.recorder.system)
        return [
            CpuChoices(
                processor.index,
                self._doing(processor.index),
                tuple(Choice(a, self._text(a)) for a in possible if a.cpu == processor.index),
            )
            for processor in self.recorder.system.processors
        ]

    def _doing(self, cpu: int) -> str:
        processor = self.recorder.system.processors[cpu]
        thread = self.recorder.system.current(processor)
        name = self._name(thread.index)
        if processor.following is not None:
            return f"switches from {name} to {self._name(processor.following.index)}"
        return name if name == task_name(None) else f"{name}, {_MODES[thread.mode]}"

    def _name(self, index: int) -> str:
        return task_name(index if index < self.scenario.tasks else None)

    def _text(self, action: Action) -> str:
        if not action.is_step:
            values = EVENTS[action.event].values(
                dict(action.arguments), self.recorder.system.concretion.ports_of
            )
            text = event_text(action.event, {**dict(action.arguments), **values}, action.cpu)
            return f"{text}{self._detail(action)}"
        outcome = ""
        if action.choice is not None:
            fails = action.choice == self.recorder.system.heap_slots
            outcome = ", which fails" if fails else f", which gives object {action.choice}"
        return f"go on: {self._statement(action.cpu)}{outcome}"

    def _detail(self, action: Action) -> str:
        """Return what distinguishes an event from others that are told in the same words."""
        if action.is_switch:
            return f" to {self._name(action['following'])}"
        granted = dict(action.arguments).get("granted")
        if granted is None:
            return ""
        return " on a port that was granted" if granted else " on a port that was not granted"

    def _statement(self, cpu: int) -> str:
        system = self.recorder.system
        processor = system.processors[cpu]
        context = processor if processor.switching else system.current(processor)
        position = context.positions[-1]
        line = linecache.getline(position.file, position.line).strip() if position.file else ""
        return line or position.function

    def take(self, choice: Choice, *, whole: bool) -> None:
        """Let something happen.

        Args:
            choice: what.
            whole: whether all the steps follow until the CPU leaves the kernel; allocations
                succeed then.

        Raises:
            TooFarError: the schedule would be too long, or the scenario has too few slots for it.
        """
        self.apply(choice.action)
        while whole and self.violation is None:
            cpu = choice.action.cpu
            steps = [one for one in enabled(self.recorder.system) if one.cpu == cpu and one.is_step]
            if not steps:
                return
            self.apply(steps[0])

    def apply(self, action: Action) -> None:
        """Execute one step.

        Raises:
            TooFarError: the schedule would be too long, or the scenario has too few slots for it.
        """
        if len(self.schedule) >= _LONGEST:
            raise TooFarError(f"a schedule has {_LONGEST:,} atomic steps at most")
        label, state = self._successor(action)
        try:
            self.recorder.apply(action, label)
        except HeapExhaustedError as error:
            self.back_to(len(self.schedule))
            raise TooFarError("the scenario has no room for one more object") from error
        self.schedule.append((action, label))
        self.states.append(state)

    def _successor(self, action: Action) -> tuple[int, Words]:
        """Return how the search names an action, and the state of the model after it."""
        state = self.states[-1]
        kind = self.native.check(state)[0]
        if kind != NO_VIOLATION and action.is_step:
            # The model sees that memory is lost before the function that holds the pointer ends.
            return TransitionLabel(action.cpu, TransitionKind.STEP, 0).encoded, state
        for label, after in self.native.successors(state):
            found = transition(self.native.compiled.model, self.native, state, label)
            if found.action == action:
                return label, after
        raise TooFarError(_ENDS.get(kind, "the scenario has no room for what comes after this"))

    def back_to(self, length: int) -> None:
        """Go back to where the schedule had so many atomic steps."""
        kept = self.schedule[:length]
        self._restart()
        self.schedule = []
        for action, _ in kept:
            self.apply(action)

    def verdict(self) -> Verdict:
        """Return what the schedule shows, as `iopermit replay` takes it; it is violated."""
        assert self.violation is not None  # there is nothing to replay else
        depth = len(self.schedule)
        return Verdict(
            self.design.id,
            self.scenario,
            "violated",
            "",
            self.violation,
            tuple(self.trace),
            SearchStatistics(
                depth + 1, depth, depth, 0.0, exhausted=False, confirmed_full_size=True
            ),
            design_file=inspect.getfile(self.design),
            options=self.options,
        )
