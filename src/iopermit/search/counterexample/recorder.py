"""Executes a schedule at full size: real ports, real TSS bytes, and the processor's own check."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit import arch
from iopermit.engine.trace import Replay, TraceStep, TssState, Violation
from iopermit.engine.violation import task_name, violation_of
from iopermit.system import specification
from iopermit.system.concretion import Concretion, exact, readable
from iopermit.system.crash import KernelCrash
from iopermit.system.events import event_text
from iopermit.system.execution import Action, Mode, Processor, Thread
from iopermit.system.machine_state import IoMapBase
from iopermit.system.rules import enabled
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

_BASES = {
    IoMapBase.INVALID: "past limit",
    IoMapBase.VALID: "valid",
    IoMapBase.ALL: "all ports",
    IoMapBase.LAZY: "lazy",
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

    With ``finish`` what is being executed at its end goes on until the kernel is left. The search
    sees at once that nothing reads a pointer any more; a function that was called with
    the pointer keeps it until it returns.
    """
    recorder = _Recorder(design, scenario, concretion)
    recorder.check(None)
    cpu = 0
    for action, label in actions:
        if recorder.violation is not None:
            break
        recorder.apply(action, label)
        cpu = action.cpu
    if finish:
        recorder.finish(cpu)
    return Replay(tuple(recorder.trace), recorder.violation)


class _Recorder:
    def __init__(self, design: type[Design], scenario: Scenario, concretion: Concretion) -> None:
        self.system = System(design, scenario, concretion, stepper=stepping.steps)
        self.design = design
        self.trace: list[TraceStep] = []
        self.violation: Violation | None = None
        self._last_writer: dict[int, Site | None] = {}

    def apply(self, action: Action, label: int) -> None:
        """Execute one step and note what it did."""
        system = self.system
        processor = system.processors[action.cpu]
        thread = system.current(processor)
        context = processor if processor.switching else thread
        site, text = self._what(action, context.positions)
        task = self._names(processor, thread, action)
        before = self._tss()
        crash: KernelCrash | None = None
        try:
            system.apply(action)
        except KernelCrash as error:
            crash = error
        after = self._tss()
        if before[action.cpu] != after[action.cpu] and site is not None:
            self._last_writer[action.cpu] = site
        event, arguments = action.event, self._arguments(action)
        self.trace.append(
            TraceStep(
                len(self.trace) + 1, action.cpu, task, event, arguments, text, site, after, label
            )
        )
        if crash is not None:
            self.violation = Violation("crash", task, action.cpu, (), (), (), "", str(crash), site)
        else:
            self.check(site)

    def finish(self, cpu: int) -> None:
        """Execute steps of one CPU until a violation or the end of its kernel code."""
        for _ in range(_MOST_STEPS):
            steps = [a for a in enabled(self.system) if a.cpu == cpu and a.is_step]
            if self.violation is not None or not steps:
                return
            label = TransitionLabel(cpu, TransitionKind.STEP, steps[0].choice or 0)
            self.apply(steps[0], label.encoded)

    def _names(self, processor: Processor, thread: Thread, action: Action) -> str:
        if action.is_switch:
            following = action["following"]
            return f"{self._name(thread.index)} to {self._name(following)}"
        if processor.switching and processor.following is not None:
            return f"{self._name(thread.index)} to {self._name(processor.following.index)}"
        return self._name(thread.index)

    def _name(self, index: int) -> str:
        return task_name(index if index < self.system.scenario.tasks else None)

    def _what(self, action: Action, positions: tuple[Position, ...]) -> tuple[Site | None, str]:
        if not action.is_step:
            choice = dict(action.arguments)
            return None, event_text(action.event, choice, self.system.concretion.ports_of)
        if not positions:
            return None, action.event
        innermost = positions[-1]
        if not innermost.file:
            return None, innermost.function
        method = find_method(self.design, innermost.function)
        site = Site(innermost.file, innermost.line, innermost.column, "", innermost.function)
        if method is not None:
            site = replace(
                method.site(method.node),
                line=innermost.line,
                column=innermost.column,
                text=_line(innermost),
            )
        return site, site.text + self._bytes(innermost, site)

    def _bytes(self, position: Position, site: Site) -> str:
        """Return which bytes of a map the step of a bulk operation handles."""
        if position.part is None or ".bitmap." not in site.text:
            return ""
        geometry = self.system.geometry
        size = geometry.long_bits // 8
        low, high = geometry.boundaries[position.part : position.part + 2]
        return f"  [bytes {low * size}-{high * size - 1} of {geometry.real_longs * size}]"

    def _arguments(self, action: Action) -> dict[str, int]:
        arguments = dict(action.arguments)
        if action.choice is not None:
            arguments["choice"] = action.choice
        return arguments

    def _tss(self) -> tuple[TssState, ...]:
        states = []
        for processor in self.system.processors:
            base = self.system.design.map_in_force(processor.record)
            clear = tuple(arch.as_ranges(processor.tss.bitmap.allowed()))
            states.append(TssState(_BASES[base], clear, bool(processor.record.tr_limit_low)))
        return tuple(states)

    def check(self, site: Site | None) -> None:
        """Note a violation in the present state."""
        found = specification.finding(self.system)
        if found is None:
            return
        blamed = site if found.cpu is None else self._last_writer.get(found.cpu) or site
        threads = self.system.threads[: self.system.scenario.tasks]
        alive = ((t.index, t.grants.allowed) for t in threads if t.mode is not Mode.FREE)
        self.violation = violation_of(found, alive, blamed)


def _line(position: Position) -> str:
    import linecache  # only for this

    return linecache.getline(position.file, position.line).strip()
