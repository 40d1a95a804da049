"""Executes a schedule again, on a fresh machine, and tells C line by C line what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from iopermit.engine.trace import Replay, TraceStep, TssState, Violation
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.search.specification import SpecificationCheck
from iopermit.kernel.search.tss_watch import TssWatch
from iopermit.kernel.search.violations import crash_of, task_name, violation_of
from iopermit.kernel.state.state import TaskMode, slot_of
from iopermit.system.events import event_text
from iopermit.system.execution import CONTINUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.execution.scheduling_points import SchedulingPoints
    from iopermit.kernel.image.lines import Lines
    from iopermit.kernel.image.linker import Image
    from iopermit.kernel.search.counterexample import Scheduled
    from iopermit.kernel.state.state import State
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
        self.driver, self.state = bring_up(tree.image, scenario)
        self.kernel = self.driver.kernel
        self.kernel.executor.watch(points)
        self.specification = SpecificationCheck(self.kernel)
        self.trace: list[TraceStep] = []
        self.finding: Finding | None = None
        self.crash: Crash | None = None
        self.violation: Violation | None = None
        self.watch = TssWatch(self.kernel, tree.lines, self._line)
        self._last_writer: dict[int, Site] = {}
        self._preempted: Site | None = None
        self._suspect: Site | None = None
        self._site: Site | None = None
        self._now: tuple[int, str, int] = (0, "", 0)
        self._switching = False

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
        slot = kernel.current(state, action.cpu)
        who = task_name(slot)
        self._switching = action.is_switch or kernel.cpu_meta(state, action.cpu).switching
        if action.is_switch:
            who = f"{who} to {self._name_of(action['following'])}"
            self._note_preemption(state, slot)
        elif self._switching:
            named = state.cpus[action.cpu][1][1]
            who = f"{who} to {task_name(slot_of(named))}"
        self._now = (action.cpu, who, number)
        if not action.is_step:
            self._event(action)
        self.watch.begin(state, action.cpu)
        outcome, _ = self.driver.execute_once(state, action, one.choices)
        stopped = outcome.crash is None and outcome.result is None
        self.watch.end(stopped=stopped)
        if outcome.crash is not None:
            site = self._site
            self.crash = outcome.crash
            self.violation = crash_of(
                outcome.crash, self.kernel.emulator.image, slot, action.cpu, site
            )
        elif outcome.state is not None:
            self._ended(outcome)
            self.state = outcome.state
            self._check_specification()

    def _name_of(self, slot: int) -> str:
        return task_name(slot if slot < self.scenario.tasks else None)

    def _note_preemption(self, state: State, slot: int | None) -> None:
        task = state.tasks[slot] if slot is not None else None
        if task is not None and self.kernel.task_meta(task).mode is TaskMode.KERNEL:
            self._preempted = self._site

    def _event(self, action: Action) -> None:
        arguments = dict(action.arguments)
        text = event_text(action.event, arguments, self.kernel.ports_of)
        self._add(action.event, arguments, text, None)

    def _add(
        self,
        event: str,
        arguments: dict[str, int],
        text: str,
        site: Site | None,
        error: str = "",
        tss: tuple[TssState, ...] | None = None,
    ) -> None:
        cpu, who, label = self._now
        states = tss or self.watch.states(self.state)
        number = len(self.trace) + 1
        self.trace.append(
            TraceStep(number, cpu, who, event, arguments, text, site, states, label, error)
        )

    def _line(self, site: Site, changed: bool, tss: tuple[TssState, ...]) -> None:  # noqa: FBT001 - one of three of a callback
        """Note that a line was executed, and whether it changed the TSS."""
        self._site = site
        if changed:
            self._last_writer[self._now[0]] = site
        if (site.file, site.line) in self.suspects:
            self._suspect = site
        self._add(CONTINUE, {}, site.text, site, tss=tss)

    def _ended(self, outcome: Outcome) -> None:
        if outcome.result is None or outcome.state is None:
            return
        self.state = outcome.state
        error = ""
        if outcome.result >= _FIRST_ERROR:
            number = (1 << 64) - outcome.result
            error = _ERRORS.get(number, f"error {number}")
        text = "the next task runs" if self._switching else "the call returns"
        self._add(CONTINUE, {}, text, None, error)

    def _first_suspect(self) -> Site | None:
        """Return the first line that a patch changed so that it has no code: it removed some.

        Changed lines that have code are blamed if they were executed, and only then.
        """
        without = [place for place in self.suspects if not self._has_code(*place)]
        return self.lines.place(*min(without)) if without else None

    def _has_code(self, file: str, line: int) -> bool:
        return not self.lines.place(file, line).text or self.lines.has_code(file, line)

    def _check_specification(self) -> None:
        found = self.specification.finding(self.state)
        if found is None:
            return
        self.finding = found
        blamed = (
            self._suspect
            or self._preempted
            or self._first_suspect()
            or (self._last_writer.get(found.cpu) if found.cpu is not None else None)
            or self._site
        )
        self.violation = violation_of(found, self.kernel, self.state, blamed)
