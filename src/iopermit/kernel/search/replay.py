"""Executes a schedule again, on a fresh machine, and tells C line by C line what happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from iopermit.engine.trace import Replay, TraceStep, TssState, Violation
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.search.rules import Rules
from iopermit.kernel.search.specification import SpecificationCheck
from iopermit.kernel.search.tss_watch import TssWatch
from iopermit.kernel.search.violations import crash_of, task_name, violation_of
from iopermit.kernel.state.state import TaskMode, slot_of
from iopermit.system.events import EVENTS, Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.execution.scheduling_points import SchedulingPoints
    from iopermit.kernel.image.lines import Lines
    from iopermit.kernel.image.linker import Image
    from iopermit.kernel.search.counterexample import Scheduled
    from iopermit.system.execution import Action
    from iopermit.system.scenario import Scenario
    from iopermit.system.site import Site
    from iopermit.system.specification import Finding

_ERRORS: Final = {1: "EPERM", 12: "ENOMEM", 22: "EINVAL", 38: "ENOSYS"}
_FIRST_ERROR: Final = (1 << 64) - 4095
"""Results from here on are negated error numbers (MAX_ERRNO)."""


class ExecutableTree(Protocol):
    """What a replay needs of a loaded tree."""

    @property
    def image(self) -> Image:
        """The tree's code."""

    @property
    def lines(self) -> Lines:
        """Its line tables."""

    @property
    def suspects(self) -> frozenset[tuple[str, int]]:
        """File and number of lines that a patch changed, to be blamed first."""


class ScheduleReplayer:
    """A machine that executes one schedule."""

    def __init__(self, tree: ExecutableTree, scenario: Scenario, points: SchedulingPoints) -> None:
        """Bring the machine up.

        Args:
            tree: the tree's code, its line tables, and the lines to be blamed first.
            scenario: how many CPUs and tasks there are, and which events.
            points: the scheduling points of the search.
        """
        self.lines, self.scenario, self.suspects = tree.lines, scenario, tree.suspects
        self.driver, self.state = bring_up(tree.image, scenario, every_access=points.every_access)
        self.kernel = self.driver.kernel
        self.kernel.executor.watch(points)
        self.rules = Rules(self.kernel, scenario)
        self.specification = SpecificationCheck(self.kernel)
        self.trace: list[TraceStep] = []
        self.finding: Finding | None = None
        self.crash: Crash | None = None
        self.violation: Violation | None = None
        self.watch = TssWatch(self.kernel, tree.lines, self._line, tree.suspects)
        self._last_writer: dict[int, Site] = {}
        self._preempted: Site | None = None
        self._suspect: Site | None = None
        self._site: Site | None = None
        self._now: TraceStep
        """What the steps of one action have in common."""

    def run(self, schedule: Sequence[Scheduled]) -> Replay:
        """Execute a schedule up to the first violation.

        Raises:
            ValueError: an action is not possible, or does not do what it did.
        """
        for number, one in enumerate(schedule):
            self._apply(one, number)
            if self.violation is not None:
                break
        return Replay(tuple(self.trace), self.violation)

    def _apply(self, one: Scheduled, number: int) -> None:
        action, state, kernel = one.action, self.state, self.kernel
        if action not in self.rules.enabled(state):
            raise ValueError(f"schedule[{number}] is not possible there")
        slot = kernel.current(state, action.cpu)
        following = ""
        if action.is_switch:
            following = self._name_of(action["following"])
        elif kernel.cpu_meta(state, action.cpu).switching:
            following = task_name(slot_of(state.cpus[action.cpu][1][1]))
        tss = self.watch.states(state)
        self._now = TraceStep(
            number=0,
            cpu=action.cpu,
            task=task_name(slot),
            following=following,
            before=tss[action.cpu],
            tss=tss,
            label=number,
        )
        if not action.is_step:
            self._event(action, slot)
        self.watch.begin(state, action.cpu)
        outcome, options = self.driver.execute_once(state, action, one.choices)
        if any(choice not in every for choice, every in zip(outcome.choices, options, strict=True)):
            raise ValueError(f"the allocations of schedule[{number}] cannot have these results")
        stopped = outcome.crash is None and outcome.result is None
        self.watch.end(stopped=stopped and not outcome.halfway)
        if outcome.crash is not None:
            site = self._site
            self.crash = outcome.crash
            crashed = crash_of(outcome.crash, self.kernel.emulator.image, slot, action.cpu, site)
            self.violation = replace(crashed, site=self._suspect or site)
        elif outcome.state is not None:
            self._ended(outcome)
            self.state = outcome.state
            self._check_specification()

    def _name_of(self, slot: int) -> str:
        return task_name(slot if slot < self.scenario.tasks else None)

    def _preempts(self, action: Action, slot: int | None) -> bool:
        """Return whether a switch leaves a task that executes kernel code; note where it stands."""
        task = self.state.tasks[slot] if action.is_switch and slot is not None else None
        preempts = task is not None and self.kernel.task_meta(task).mode is TaskMode.KERNEL
        if preempts:
            self._preempted = self._site
        return preempts

    def _event(self, action: Action, slot: int | None) -> None:
        arguments = dict(action.arguments)
        preempts = self._preempts(action, slot)
        begun = replace(
            self._now,
            event=action.event,
            arguments=arguments,
            values=EVENTS[action.event].values(arguments, self.kernel.ports_of),
            preempts=preempts,
            sleeps=preempts and not self.scenario.has(Event.PREEMPT),
        )
        self._add(begun, self.watch.states(self.state))

    def _add(self, step: TraceStep, tss: tuple[TssState, ...]) -> None:
        """Note a step, after which the TSSs are as given."""
        before = self.trace[-1].tss[step.cpu] if self.trace else tss[step.cpu]
        number = len(self.trace) + 1
        self.trace.append(replace(step, number=number, before=before, tss=tss))

    def _line(self, site: Site, changed: bool, tss: tuple[TssState, ...]) -> None:  # noqa: FBT001 - one of three of a callback
        """Note that a line was executed, and whether it changed the TSS."""
        self._site = site
        if changed:
            self._last_writer[self._now.cpu] = site
        if (site.file, site.line) in self.suspects:
            self._suspect = site
        self._add(replace(self._now, source=site), tss)

    def _ended(self, outcome: Outcome) -> None:
        if outcome.result is None or outcome.state is None:
            return
        self.state = outcome.state
        error = ""
        if outcome.result >= _FIRST_ERROR:
            number = (1 << 64) - outcome.result
            error = _ERRORS.get(number, f"error {number}")
        ended = replace(self._now, environment=self._end(), error=error)
        self._add(ended, self.watch.states(self.state))

    def _end(self) -> str:
        """Return what the end of a transition is called."""
        if self._now.following:
            return "the next task runs"
        slot = self.kernel.current(self.state, self._now.cpu)
        task = None if slot is None else self.state.tasks[slot]
        is_dead = task is not None and self.kernel.task_meta(task).mode is TaskMode.DEAD
        return "the task is dead" if is_dead else "the call returns"

    def _check_specification(self) -> None:
        found = self.specification.finding(self.state)
        if found is None:
            return
        self.finding = found
        # Changed lines that have code are blamed if they were executed, and only then.
        removed = self.lines.without_code(self.suspects)
        blamed = (
            self._suspect
            or self._preempted
            or (removed[-1] if removed else None)
            or (self._last_writer.get(found.cpu) if found.cpu is not None else None)
            or self._site
        )
        self.violation = violation_of(found, self.kernel, self.state, blamed)
