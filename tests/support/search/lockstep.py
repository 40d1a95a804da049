"""Executes the compiled model and the plain Python reading side by side and compares them."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from iopermit.search.counterexample.transitions import transition_of
from iopermit.search.exploration.memory import Words
from iopermit.search.exploration.native import NativeFunctions
from iopermit.system import specification
from iopermit.system.concretion import exact
from iopermit.system.crash import KernelCrash
from iopermit.system.design import Design
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action
from iopermit.system.position import Position
from iopermit.system.projection import Fields, snapshot
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.system.site import Site
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.model.initial_state import InitialValues, initial_values
from iopermit.translate.model.nodes import DEAD, EMBRYO, FREE, KERNEL_THREAD, STOPPED, USER
from iopermit.translate.native.jit import compile_model
from iopermit.translate.stepping import generators as stepping
from iopermit.translate.translation import translate

_MODES = {
    FREE: None, USER: "user", KERNEL_THREAD: "kernel thread", EMBRYO: "embryo", DEAD: "dead",
    STOPPED: "stopped",
}  # fmt: skip
_WEIGHTS = {
    "step": 8.0,
    "switch": 1.0,
    "exit": 0.4,
    "drop-privilege": 0.1,
    "ioperm": 0.5,
    "cpu-offline": 0.15,
}
_INTO_VIOLATION = 0.1
"""How likely a step into a violation is, against one that the walk can go on from."""

_MOST_STEPS = 1000
"""Steps in which kernel code comes to its end."""

Place = tuple[tuple[str, int, int], ...]
"""Where a task or CPU stands: function or label, line and column; outermost call first."""


@dataclass
class Tally:
    """What a walk saw."""

    steps: int = 0
    events: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)


class Lockstep:
    """One design in one scenario, executed twice."""

    def __init__(
        self,
        design: type[Design],
        scenario: Scenario,
        functions: NativeFunctions | None = None,
    ) -> None:
        """Compile, unless the native functions without reductions are given."""
        self.design, self.scenario = design, scenario
        self.native = functions or NativeFunctions(
            compile_model(translate(design, scenario), NO_REDUCTIONS)
        )
        self.model = self.native.compiled.model
        working = self.native.compiled.packing.working(initial_values(scenario, self.model))
        self._initial = self.native.pack(working)
        self._fields = [f for f in self.model.fields if f.declared]
        self._shared = {f: p for f, p in self.native.compiled.packing.places.items() if not f.local}
        self.restart()

    def restart(self) -> None:
        """Go back to the initial state."""
        self.state = self._initial
        concretion = exact(self.design.layout, self.scenario.longs)
        self.system = System(self.design, self.scenario, concretion, stepper=stepping.steps)
        self.schedule: list[Action] = []
        assert self.check() == "none", "the initial state violates"
        self.compare()

    def walk(self, steps: int, rng: random.Random) -> Tally:
        """Take random steps, comparing after each; start again after a violation."""
        tally = Tally()
        while tally.steps < steps:
            possible = self.possible()
            if not possible:
                self.restart()
                continue
            action = self._choose(possible, rng)
            verdict = self.take(action, possible[action])
            tally.steps += 1
            tally.events[action.event] += 1
            tally.verdicts[verdict] += 1
            if verdict != "none":
                self.restart()
        return tally

    def possible(self) -> dict[Action, Words]:
        """Return what can happen, which must be the same in both readings."""
        successors = self.native.successors(self.state)
        values = self._values()
        compiled = [
            (transition_of(self.model, values, label).action, words) for label, words in successors
        ]
        plain = Counter(enabled(self.system))
        found = Counter(action for action, _ in compiled)
        assert found == plain, self._text(
            f"only compiled {found - plain}, only plain {plain - found}"
        )
        return dict(compiled)

    def take(self, action: Action, target: Words) -> str:
        """Do one thing in both readings; return the verdict about the state after it."""
        self.schedule.append(action)
        self.state = target
        compiled = self.native.check(target)[0]
        try:
            self.system.apply(action)
        except KernelCrash:
            plain = "crash"
        else:
            plain = self.check()
        if (compiled, plain) == ("garbage", "none"):
            self.compare()
            plain = self._finished(action.cpu)
        elif plain != "crash":
            self.compare()
        assert compiled == plain, self._text(f"compiled says {compiled}, plain {plain}")
        return plain

    def _finished(self, cpu: int) -> str:
        """Return the verdict of the plain reading when a CPU's kernel code has come to its end.

        The model sees at once that nothing reads a pointer any more. Executed as it stands, a
        function that was called with the pointer keeps it until it returns.
        """
        for _ in range(_MOST_STEPS):
            steps = [a for a in enabled(self.system) if a.cpu == cpu and a.is_step]
            if self.check() != "none" or not steps:
                break
            self.system.apply(steps[0])
        return self.check()

    def check(self) -> str:
        """Return the verdict of the plain reading."""
        found = specification.finding(self.system)
        if found is None:
            return "none"
        return "livelock" if found.livelock else found.kind

    def compare(self) -> None:
        """Require that both states are the same."""
        values = self._values()
        shown = snapshot(self.system)
        counters: dict[int, int] = {0: 0}
        for declared in self._fields:
            for slot, record in enumerate(shown[declared.record]):
                compiled = values[declared.record, declared.name][slot]
                plain = 0 if record is None else record[declared.name]
                if declared.kind == "counter":
                    plain = self._renamed(counters, plain, compiled)
                self._same(f"{declared.record} {slot} {declared.name}", compiled, plain)
        self._compare_use(values, shown)
        self._compare_control(values, shown)

    # Internals.

    def _values(self) -> InitialValues:
        """Return the values of all fields but local variables, as `Packing.values` does."""
        packing, words = self.native.compiled.packing, self.native.unpack(self.state)
        values: InitialValues = {}
        for each, place in self._shared.items():
            base, size = packing.base[each.record], packing.words_per_slot[each.record]
            last = base + size * self.model.counts[each.record]
            low = (1 << place.width) - 1
            values[each.record, each.name] = [
                word >> place.shift & low for word in words[base + place.word : last : size]
            ]
        return values

    def _choose(self, possible: dict[Action, Words], rng: random.Random) -> Action:
        actions = list(possible)
        weights = [
            _WEIGHTS.get(action.event, 0.6)
            * (1 if self.native.check(possible[action])[0] == "none" else _INTO_VIOLATION)
            for action in actions
        ]
        return rng.choices(actions, weights)[0]

    def _renamed(self, counters: dict[int, int], plain: int, compiled: int) -> int:
        """Return the compiled name of a sequence number; two numbers never share one."""
        known = counters.setdefault(plain, compiled)
        others = [name for number, name in counters.items() if number != plain]
        assert known not in others, self._text(f"sequence numbers are confused: {counters}")
        return known

    def _compare_use(self, values: InitialValues, shown: dict[str, list[Fields | None]]) -> None:
        for name in self.model.heap:
            used = [int(record is not None) for record in shown[name]]
            self._same(f"{name} in use", values[name, "in_use"], used)

    def _compare_control(
        self, values: InitialValues, shown: dict[str, list[Fields | None]]
    ) -> None:
        for slot, task in enumerate(shown["task"]):
            pc = values["task", "pc"][slot]
            self._same(f"task {slot} mode", self._mode(pc, slot), task and task["mode"])
            if task is None:
                continue
            for name in ("granted", "granted_iopl"):
                self._same(f"task {slot} {name}", values["task", name][slot], task[name])
            if ("task", "refusals") in values:
                refusals = values["task", "refusals"][slot]
                self._same(f"task {slot} refusals", refusals, task["refusals"])
            if ("task", "home") in values and slot < self.scenario.tasks:
                self._same(f"task {slot} home", values["task", "home"][slot], task["home"])
            self._same(f"task {slot} place", self._place(pc), _place(task["positions"]))
        for slot, cpu in enumerate(shown["cpu"]):
            assert cpu is not None
            self._same(f"CPU {slot} following", values["cpu", "following"][slot], cpu["following"])
            place = self._place(values["cpu", "pc"][slot])
            self._same(f"CPU {slot} place", place, _place(cpu["positions"]))

    def _mode(self, pc: int, slot: int) -> str | None:
        if slot >= self.scenario.tasks:
            return "idle"
        return _MODES.get(pc, "kernel")

    def _place(self, pc: int) -> Place:
        step = self.model.steps.get(pc)
        if step is None:
            return ()
        sites = [*step.calls, step.site]
        return tuple(_spot(site, step.label) for site in sites)

    def _same(self, what: str, compiled: object, plain: object) -> None:
        assert compiled == plain, self._text(f"{what}: compiled {compiled}, plain {plain}")

    def _text(self, difference: str) -> str:
        return "\n".join([f"{self.design.id}: {difference}; after", *map(str, self.schedule)])


def _spot(site: Site | None, label: str) -> tuple[str, int, int]:
    return (label, 0, 0) if site is None else (site.function, site.line, site.column)


def _place(positions: tuple[Position, ...]) -> Place:
    return tuple((p.function, p.line, p.column) for p in positions)


def with_each_option(design: type[Design]) -> Iterator[dict[str, bool]]:
    """Yield no options, then each switch of the design by itself."""
    yield {}
    yield from ({name: True} for name in design.options)
