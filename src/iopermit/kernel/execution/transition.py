"""One transition: what an action is about, and what its code may see of the heap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.classifier import Actor, HeapUse
from iopermit.kernel.execution.functions import FUNCTIONS, TreeFunction
from iopermit.kernel.state.contents import HEAP, NAMES, Component, kind_of
from iopermit.kernel.state.state import PendingOperation, State, slot_of
from iopermit.system.events import EVENTS, hooks
from iopermit.system.events.operations import calls

if TYPE_CHECKING:
    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.system.events import operations as events
    from iopermit.system.events.arguments import Values
    from iopermit.system.execution import Action

_NOTHING: Final = TreeFunction("")
"""What an event does that concerns no code of the subsystem."""


class Transition:
    """Kernel code from an action to the next scheduling point, or to the end of a function.

    Attributes:
        cpu, meta, names: the CPU, what is known of it, and its names.
        slot: its current task; None for the idle task.
        following: the next task of a context switch; None for the idle task.
        child: the task that is being made.
        operation: what the current task is doing in the kernel.
        switching: whether it is a context switch, or the rest of one.
        slots: all tasks that it is about.
    """

    def __init__(self, kernel: EmulatedKernel, state: State, action: Action) -> None:
        """Find out what an action is about in a state."""
        self.kernel, self.state, self.action = kernel, state, action
        self.cpu = action.cpu
        self.meta = kernel.cpu_meta(state, self.cpu)
        self.names = state.cpus[self.cpu][1]
        self.slot = kernel.current(state, self.cpu)
        self.operation: PendingOperation | None = None
        self.child: int | None = None
        self.following: int | None = None
        self.switching = self.meta.switching or action.is_switch
        if self.switching:
            self._find_following()
        elif self.slot is not None:
            self._find_operation()
        self.slots = [s for s in (self.slot, self.following, self.child) if s is not None]

    def task(self, slot: int | None) -> Component:
        """Return the task in a slot, which there is."""
        task = self.state.tasks[slot] if slot is not None else None
        assert task is not None  # actions are about tasks that exist
        return task

    def current_task(self) -> tuple[int, Component]:
        """Return slot and component of the current task, which is not the idle task."""
        slot = self.slot
        assert slot is not None  # events are for tasks
        return slot, self.task(slot)

    @property
    def begins(self) -> events.Operation | None:
        """What an event begins here; None if something goes on, or a switch begins."""
        if self.switching or self.action.is_step:
            return None
        return EVENTS[self.action.event].operation

    @property
    def values(self) -> Values:
        """The arguments of the event that the current task handles."""
        operation = self.operation
        assert operation is not None  # it executes kernel code
        return EVENTS[operation.event].values(dict(operation.arguments), self.kernel.ports_of)

    @property
    def function(self) -> TreeFunction:
        """What is executed: what plays the part of a hook, or something that writes nothing."""
        operation = self.operation
        if self.switching:
            return FUNCTIONS[hooks.SWITCH_TO.name]
        if operation is None or operation.returns_to_user:
            return FUNCTIONS[hooks.RETURN_TO_USER.name]
        what = EVENTS[operation.event].operation
        called = list(calls(what.body)) if what is not None else []
        name = called[operation.phase].hook.name if called else ""
        return FUNCTIONS.get(name, _NOTHING)

    def prepare(self, plan: tuple[int, ...]) -> None:
        """Tell the executor on whose behalf it will execute code, and with which heap."""
        executor = self.kernel.executor
        executor.accesses.actor = self._actor()
        executor.accesses.heap = self._heap_use(plan)
        guarded = self.function.guarded
        executor.guard = self.kernel.guard.of(executor.accesses.actor) if guarded else None

    def _find_following(self) -> None:
        if self.meta.switching:
            self.following = slot_of(self.names[1])
        else:
            following = self.action["following"]
            self.following = following if following < self.kernel.memory.tasks else None

    def _find_operation(self) -> None:
        task = self.task(self.slot)
        if self.action.is_step:
            self.operation = self.kernel.task_meta(task).operation
            if self.operation is not None and "child" in dict(self.operation.arguments):
                self.child = slot_of(task[1][0])
        else:
            self.operation = PendingOperation(self.action.event, self._kept_arguments())
            if "child" in dict(self.action.arguments):
                self.child = self.action["child"]

    def _kept_arguments(self) -> tuple[tuple[str, int], ...]:
        """Return the arguments without slots, which are names and no part of a content."""
        return tuple((k, 0 if k == "child" else v) for k, v in self.action.arguments)

    def _actor(self) -> Actor:
        privileged = True
        if self.slot is not None:
            privileged = self.kernel.task_meta(self.task(self.slot)).privileged
        involved = frozenset(s for s in self.slots if s != self.slot or self.switching)
        own = -1 if self.switching or self.slot is None else self.slot
        return Actor(self.cpu, own, involved, privileged)

    def _heap_use(self, plan: tuple[int, ...]) -> HeapUse:
        state, contents = self.state, self.kernel.contents
        used, dangling = {}, set()
        for slot, content in enumerate(state.heap):
            if content is not None:
                size = contents[content[0]].meta
                assert isinstance(size, int)  # what heap objects have
                used[slot] = size
        for component in state.components():
            dangling |= {n % NAMES for n in component[1] if kind_of(n) == HEAP}
        return HeapUse(used, frozenset(dangling - used.keys()), self._shared(), plan)

    def _shared(self) -> set[int]:
        """Return the heap slots that others than the running context can find.

        They refer to them, or look at the words of the task that do.
        """
        mine = self.task(self.slot) if self.slot is not None and not self.switching else None
        others = (c for c in self.state.components() if c is not mine)
        shared = {n % NAMES for c in others for n in c[1] if kind_of(n) == HEAP}
        if mine is not None:
            content = self.kernel.contents[mine[0]]
            looked_at = self.kernel.executor.accesses.points.looked_at
            named = zip(content.places, mine[1][content.leading :], strict=True)
            shared |= {
                n % NAMES for index, n in named if kind_of(n) == HEAP and 8 * index in looked_at
            }
        return shared
