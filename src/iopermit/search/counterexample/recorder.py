"""Executes a schedule at full size: real ports, real TSS bytes, and the processor's own check."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit import arch
from iopermit.engine.trace import MapBytes, Replay, SelectedMap, TraceStep, TssState, Violation
from iopermit.engine.violation import task_name, violation_of
from iopermit.system import specification
from iopermit.system.concretion import Concretion, exact, readable
from iopermit.system.crash import KernelCrash
from iopermit.system.events import EVENTS
from iopermit.system.events.entries import ENTER_USER, RETURN_TO_USER
from iopermit.system.events.rules import enabled, is_preemptible
from iopermit.system.execution import Action, ExecutionContext, Mode, Thread
from iopermit.system.machine_state import IoMapBase
from iopermit.system.simulation import System
from iopermit.system.site import Site
from iopermit.translate.frontend.source import find_method
from iopermit.translate.native.shared.labels import TransitionKind, TransitionLabel
from iopermit.translate.stepping import generators as stepping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.system.design import Design
    from iopermit.system.position import Position
    from iopermit.system.scenario import Scenario

_MOST_STEPS = 10_000
"""More than any system call takes from its last access to an object to its return."""

_SELECTED = {
    IoMapBase.INVALID: SelectedMap.PAST_LIMIT,
    IoMapBase.VALID: SelectedMap.VALID,
    IoMapBase.ALL: SelectedMap.ALL_PORTS,
    IoMapBase.LAZY: SelectedMap.LAZY,
}


def concretions(design: type[Design], scenario: Scenario) -> tuple[Concretion, Concretion]:
    """Return what the longs of a scenario stand for: readable ports, and whole blocks of them."""
    return readable(design.layout, scenario.longs), exact(design.layout, scenario.longs)


def record(
    design: type[Design],
    scenario: Scenario,
    actions: Iterable[tuple[Action, int]],
    concretion: Concretion,
    *,
    finish: bool = False,
) -> Replay:
    """Execute a schedule at full size up to the first violation.

    A row of refusals that may be a livelock is one only at the end of the schedule: whether it is,
    is for :mod:`iopermit.search.counterexample.livelock` to find out.

    With ``finish`` what is being executed at its end goes on until the kernel is left. The search
    sees at once that nothing reads a pointer any more; a function that was called with
    the pointer keeps it until it returns.
    """
    recorder = TraceRecorder(design, scenario, concretion)
    recorder.check(None)
    cpu = 0
    for action, label in actions:
        if recorder.violation is not None:
            break
        recorder.apply(action, label)
        cpu = action.cpu
    if finish:
        recorder.finish(cpu)
    return Replay(tuple(recorder.trace), recorder.violation or recorder.row)


class TraceRecorder:
    """A design that is executed step by step at full size, and what it did."""

    def __init__(self, design: type[Design], scenario: Scenario, concretion: Concretion) -> None:
        """Bring the machine up; see `concretions`."""
        self.system = System(design, scenario, concretion, stepper=stepping.steps)
        self.design = design
        self.trace: list[TraceStep] = []
        self.violation: Violation | None = None
        self.row: Violation | None = None
        """The row of refusals that the present state is in, if it may be a livelock."""
        self._last_writer: dict[int, Site | None] = {}
        self._last_executed: dict[str, Site] = {}

    def apply(self, action: Action, label: int) -> None:
        """Execute one step and note what it did."""
        begun = self._begun(action, label)
        crash: KernelCrash | None = None
        try:
            self.system.apply(action)
        except KernelCrash as error:
            crash = error
        step = replace(begun, tss=self._tss())
        self.trace.append(step)
        if step.before != step.after and step.source is not None:
            self._last_writer[action.cpu] = step.source
        if step.source is not None and not step.following:
            self._last_executed[step.task] = step.source
        if crash is None:
            self.check(step.source)
        else:
            self.violation = Violation(
                "crash", step.who, action.cpu, (), (), (), "", str(crash), step.source
            )

    def finish(self, cpu: int) -> None:
        """Execute steps of one CPU until a violation or the end of its kernel code."""
        for _ in range(_MOST_STEPS):
            steps = [a for a in enabled(self.system) if a.cpu == cpu and a.is_step]
            if self.violation is not None or not steps:
                return
            label = TransitionLabel(cpu, TransitionKind.STEP, steps[0].choice or 0)
            self.apply(steps[0], label.encoded)

    def _begun(self, action: Action, label: int) -> TraceStep:
        """Return a step before it is executed."""
        processor = self.system.processors[action.cpu]
        thread, tss = self.system.current(processor), self._tss()
        choice = {} if action.choice is None else {"choice": action.choice}
        step = TraceStep(
            number=len(self.trace) + 1,
            cpu=action.cpu,
            task=self._name(thread.index),
            following="" if processor.following is None else self._name(processor.following.index),
            event=action.event,
            arguments=dict(action.arguments) | choice,
            before=tss[action.cpu],
            tss=tss,
            label=label,
        )
        if action.is_step:
            return self._at(step, processor if processor.switching else thread)
        if action.is_switch:
            following, preempts = self._name(action["following"]), thread.mode is Mode.KERNEL
            sleeps = preempts and not is_preemptible(self.system)
            step = replace(step, following=following, preempts=preempts, sleeps=sleeps)
        ports_of = self.system.concretion.ports_of
        return replace(step, values=EVENTS[action.event].values(step.arguments, ports_of))

    def _at(self, step: TraceStep, context: ExecutionContext) -> TraceStep:
        """Return a step with the statement, or the step around the design, that is next."""
        if not context.positions:
            return replace(step, environment=step.event)
        innermost = context.positions[-1]
        if not innermost.file:
            error = ""
            if isinstance(context, Thread) and innermost not in (RETURN_TO_USER, ENTER_USER):
                error = _error_name(context.result)
            return replace(step, environment=innermost.function, error=error)
        site = Site(innermost.file, innermost.line, innermost.column, "", innermost.function)
        method = find_method(self.design, innermost.function)
        if method is not None:
            place = method.site(method.node)
            site = replace(site, file=place.file, function=place.function, text=_line(innermost))
        return replace(step, source=site, handled=self._handled(innermost))

    def _handled(self, position: Position) -> MapBytes | None:
        """Return which bytes of a map the step of a bulk operation handles."""
        operation = position.bulk
        if position.part is None or operation is None or operation.bitmap[-1] != "bitmap":
            return None
        geometry = self.system.geometry
        size = geometry.long_bits // 8
        low, high = geometry.boundaries[position.part : position.part + 2]
        return MapBytes(
            low * size, high * size - 1, geometry.real_longs * size, operation.copies_to_tss
        )

    def _name(self, index: int) -> str:
        return task_name(index if index < self.system.scenario.tasks else None)

    def _tss(self) -> tuple[TssState, ...]:
        states = []
        for processor in self.system.processors:
            base = self.system.design.map_in_force(processor.record)
            clear = tuple(arch.as_ranges(processor.tss.bitmap.allowed()))
            states.append(TssState(_SELECTED[base], clear, bool(processor.record.tr_limit_low)))
        return tuple(states)

    def check(self, site: Site | None) -> None:
        """Note a violation in the present state."""
        found, self.row = specification.finding(self.system), None
        if found is None:
            return
        blamed = site if found.cpu is None else self._last_writer.get(found.cpu) or site
        if found.without_privilege and found.task is not None:
            blamed = self._last_executed.get(self._name(found.task))
        threads = self.system.threads[: self.system.scenario.tasks]
        alive = ((t.index, t.grants.allowed) for t in threads if t.mode is not Mode.FREE)
        violation = violation_of(found, alive, blamed)
        if found.livelock:
            self.row = violation
        else:
            self.violation = violation


def _error_name(result: object) -> str:
    """Return the name of the error that a hook returned, if it is one."""
    if isinstance(result, bool) or not isinstance(result, int) or result >= 0:
        return ""
    return errno.errorcode.get(-result, f"error {-result}")


def _line(position: Position) -> str:
    import linecache  # only for this

    return linecache.getline(position.file, position.line).strip()
