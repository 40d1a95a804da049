"""What can happen next in the emulated kernel: the same environment as for designs."""

from __future__ import annotations

from collections.abc import Iterator

from iopermit.kernel.driver import Driver
from iopermit.kernel.state import IDLE_NAME, State
from iopermit.kernel.contents import NAMES
from iopermit.system.execution import Action, action
from iopermit.system.scenario import Event, Scenario


class Rules:
    """The actions of a scenario."""

    def __init__(self, driver: Driver, scenario: Scenario) -> None:
        """Let the events of `scenario` happen."""
        self.driver, self.scenario = driver, scenario

    def enabled(self, state: State) -> Iterator[Action]:
        """Yield everything that can happen in a state, for one CPU after the other."""
        for cpu in range(self.scenario.cpus):
            yield from self._on_cpu(state, cpu)

    def _on_cpu(self, state: State, cpu: int) -> Iterator[Action]:
        driver, scenario = self.driver, self.scenario
        if driver.cpu_meta(state, cpu).switching:
            yield Action(cpu, "step")
            return
        slot = driver.current(state, cpu)
        if slot is None:
            yield from self._switches(state, cpu, None)
            return
        task = state.tasks[slot]
        assert task is not None  # noqa: S101 - a current task exists
        meta = driver.task_meta(task)
        can_switch = True
        match meta.mode:
            case "user":
                yield from self._user_events(state, cpu, privileged=meta.privileged)
            case "thread":
                yield from self._thread_events(state, cpu)
            case "kernel" | "return":
                yield Action(cpu, "step")
                can_switch = meta.preemptible and scenario.has(Event.PREEMPT)
        if can_switch:
            yield from self._switches(state, cpu, slot)

    def _user_events(self, state: State, cpu: int, *, privileged: bool) -> Iterator[Action]:
        scenario = self.scenario
        if scenario.has(Event.IOPERM):
            for turn_on in (1, 0):
                for first, end in scenario.ranges:
                    yield action(cpu, "ioperm", first=first, end=end, turn_on=turn_on)
            yield action(cpu, "ioperm", first=0, end=0, turn_on=1)
        if scenario.has(Event.IOPL):
            yield from (action(cpu, "iopl", level=level) for level in (3, 0))
        for event in (Event.FORK, Event.FORK_FAILS):
            if scenario.has(event):
                yield from self._forks(state, cpu, event.value)
        yield from self._thread_events(state, cpu)
        if scenario.has(Event.EXEC):
            yield action(cpu, "exec")
        if scenario.has(Event.DROP_PRIVILEGE) and privileged:
            yield action(cpu, "drop-privilege")
        if scenario.has(Event.VM_EXIT):
            yield action(cpu, "vm-exit")

    def _thread_events(self, state: State, cpu: int) -> Iterator[Action]:
        scenario = self.scenario
        if scenario.has(Event.IO_THREAD):
            yield from self._forks(state, cpu, "io-thread")
            if scenario.has(Event.FORK_FAILS):
                yield from self._forks(state, cpu, "io-thread-fails")
        if scenario.has(Event.EXIT):
            yield action(cpu, "exit")

    @staticmethod
    def _forks(state: State, cpu: int, event: str) -> Iterator[Action]:
        # Free slots are alike: nothing refers to a task that does not exist.
        free = [slot for slot, task in enumerate(state.tasks) if task is None]
        return (action(cpu, event, child=slot) for slot in free[:1])

    def _switches(self, state: State, cpu: int, slot: int | None) -> Iterator[Action]:
        taken = {
            n % NAMES
            for component in state.cpus
            for n in component[1][: self.driver.contents[component[0]].leading]
            if n != IDLE_NAME
        }
        for following, task in enumerate(state.tasks):
            if task is None or following in taken:
                continue
            meta = self.driver.task_meta(task)
            if meta.mode in {"embryo", "dead"}:
                continue
            if not self.scenario.has(Event.MIGRATE) and meta.home != cpu:
                continue
            yield action(cpu, "switch", following=following)
        if slot is not None:
            yield action(cpu, "switch", following=self.scenario.tasks)
