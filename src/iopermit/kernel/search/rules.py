"""What can happen next in the emulated kernel: the same environment as for designs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.kernel.state.contents import NAMES
from iopermit.kernel.state.state import IDLE_NAME, State, TaskMode
from iopermit.system.execution import Action, action
from iopermit.system.rules import calls
from iopermit.system.scenario import Event, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.kernel.execution.kernel import EmulatedKernel


@dataclass(eq=False, frozen=True)
class Move:
    """An action that can happen, prepared for being looked up often. Equal to itself only.

    Attributes:
        action: the action.
        key: the action without the slots of tasks, as a number.
        cpu: the CPU on which it happens.
        target: the child or the next task that it names, or -1.
        is_switch: whether it starts a context switch.
        is_step: whether it goes on with what the CPU is doing.
    """

    action: Action
    key: int
    cpu: int
    target: int
    is_switch: bool
    is_step: bool


class Rules:
    """The actions of a scenario."""

    def __init__(self, kernel: EmulatedKernel, scenario: Scenario) -> None:
        """Let the events of `scenario` happen."""
        self.kernel, self.scenario = kernel, scenario
        self._known: dict[object, list[Move]] = {}
        self._keys: dict[object, int] = {}

    def moves(self, state: State) -> list[Move]:
        """Return everything that can happen in a state, for one CPU after the other."""
        # The contents have the modes, and the first name of a CPU is its current task.
        key = (
            tuple([(c[0], c[1][:2]) for c in state.cpus]),
            tuple([-1 if task is None else task[0] for task in state.tasks]),
        )
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = [self._move(state, one) for one in self.enabled(state)]
        return known

    def known_moves(self) -> Iterator[Move]:
        """Yield every action that was possible in some state so far."""
        for moves in self._known.values():
            yield from moves

    def enabled(self, state: State) -> Iterator[Action]:
        """Yield the actions that can happen in a state, for one CPU after the other."""
        for cpu in range(self.scenario.cpus):
            yield from self._on_cpu(state, cpu)

    def _move(self, state: State, one: Action) -> Move:
        arguments = dict(one.arguments)
        target = arguments.get("child", arguments.get("following", -1))
        kept = tuple((k, v) for k, v in one.arguments if k not in {"child", "following"})
        key = self._keys.setdefault((one.event, kept), len(self._keys))
        target = target if target < len(state.tasks) else -1
        return Move(one, key, one.cpu, target, one.event == "switch", one.event == "step")

    def _on_cpu(self, state: State, cpu: int) -> Iterator[Action]:
        kernel, scenario = self.kernel, self.scenario
        if kernel.cpu_meta(state, cpu).switching:
            yield Action(cpu, "step")
            return
        slot = kernel.current(state, cpu)
        if slot is None:
            yield from self._switches(state, cpu, None)
            return
        task = state.tasks[slot]
        assert task is not None  # it is a task of the switch
        meta = kernel.task_meta(task)
        can_switch = True
        match meta.mode:
            case TaskMode.USER:
                yield from self._user_events(state, cpu, privileged=meta.privileged)
            case TaskMode.THREAD:
                yield from self._thread_events(state, cpu)
            case TaskMode.KERNEL | TaskMode.RETURN:
                yield Action(cpu, "step")
                can_switch = meta.preemptible and scenario.has(Event.PREEMPT)
        if can_switch:
            yield from self._switches(state, cpu, slot)

    def _user_events(self, state: State, cpu: int, *, privileged: bool) -> Iterator[Action]:
        scenario = self.scenario
        yield from calls(scenario, cpu)
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
            for n in component[1][: self.kernel.contents[component[0]].leading]
            if n != IDLE_NAME
        }
        for following, task in enumerate(state.tasks):
            if task is None or following in taken:
                continue
            meta = self.kernel.task_meta(task)
            if meta.mode in {TaskMode.EMBRYO, TaskMode.DEAD}:
                continue
            if not self.scenario.has(Event.MIGRATE) and meta.home != cpu:
                continue
            yield action(cpu, "switch", following=following)
        if slot is not None:
            yield action(cpu, "switch", following=self.scenario.tasks)
