"""What can happen next in the emulated kernel: the same environment as for designs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.kernel.execution.functions import FUNCTIONS, can_execute
from iopermit.kernel.state.contents import NAMES
from iopermit.kernel.state.state import IDLE_NAME, CpuMeta, State, TaskMeta, TaskMode
from iopermit.system.events import Event, Precondition, Who, events_of
from iopermit.system.execution import CONTINUE, Action, action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.system.scenario import Scenario


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
        self._cpus: dict[int, tuple[bool, int]] = {}
        self._tasks: dict[int, object] = {}
        self._keys: dict[object, int] = {}

    def moves(self, state: State) -> list[Move]:
        """Return everything that can happen in a state, for one CPU after the other."""
        # All that `enabled` asks of a state: of a CPU whether it switches, and the leading names,
        # which are tasks; of a task what `_of_task` has.
        cpus = []
        for number, names in state.cpus:
            switching, leading = self._cpus.get(number) or self._of_cpu(number)
            cpus.append((switching, names[:leading]))
        tasks = [
            None if task is None else self._tasks.get(task[0]) or self._of_task(task[0])
            for task in state.tasks
        ]
        key = tuple(cpus), tuple(tasks)
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

    def _of_cpu(self, number: int) -> tuple[bool, int]:
        """Return of the content of a CPU whether it switches, and how many names lead."""
        content = self.kernel.contents[number]
        meta = content.meta
        assert isinstance(meta, CpuMeta)  # what the CPUs' components have
        self._cpus[number] = meta.switching, content.leading
        return self._cpus[number]

    def _of_task(self, number: int) -> object:
        """Return of the content of a task what decides about the actions."""
        meta = self.kernel.contents[number].meta
        assert isinstance(meta, TaskMeta)  # what the tasks' components have
        found = meta.mode, meta.privileged, meta.preemptible, meta.home
        self._tasks[number] = found
        return found

    def _move(self, state: State, one: Action) -> Move:
        arguments = dict(one.arguments)
        target = arguments.get("child", arguments.get("following", -1))
        kept = tuple((k, v) for k, v in one.arguments if k not in {"child", "following"})
        key = self._keys.setdefault((one.event, kept), len(self._keys))
        target = target if target < len(state.tasks) else -1
        return Move(one, key, one.cpu, target, one.is_switch, one.is_step)

    def _on_cpu(self, state: State, cpu: int) -> Iterator[Action]:
        kernel = self.kernel
        if kernel.cpu_meta(state, cpu).switching:
            yield Action(cpu, CONTINUE)
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
                yield from self._events(state, cpu, Who.USER, privileged=meta.privileged)
            case TaskMode.THREAD:
                yield from self._events(state, cpu, Who.KERNEL_THREAD)
            case TaskMode.KERNEL | TaskMode.RETURN | TaskMode.EXITING:
                # On its way back to user mode a task is switched out by any kernel, in front of
                # the last work there, and so is one that exits, behind exit_thread(); else where
                # it sleeps, or can be preempted.
                yield Action(cpu, CONTINUE)
                can_switch = meta.preemptible
        if can_switch:
            yield from self._switches(state, cpu, slot)

    def _events(
        self, state: State, cpu: int, who: Who, *, privileged: bool = False
    ) -> Iterator[Action]:
        for event in events_of(who, self.scenario.events, FUNCTIONS.__contains__):
            if not can_execute(event):
                continue
            choices = event.choices(self.scenario)
            if event.guard is Precondition.PRIVILEGED and not privileged:
                choices = []
            elif event.guard is Precondition.FREE_SLOT:
                # Free slots are alike: nothing refers to a task that does not exist.
                free = [slot for slot, task in enumerate(state.tasks) if task is None]
                choices = [choice for choice in choices if choice["child"] in free[:1]]
            yield from (action(cpu, event.name, **choice) for choice in choices)

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
            yield action(cpu, Event.SWITCH.name, following=following)
        if slot is not None:
            yield action(cpu, Event.SWITCH.name, following=self.scenario.tasks)
