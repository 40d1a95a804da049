"""Context switches, executed once for each thing that they look at.

A switch looks at the CPU, at a few words of the two tasks (their flags), and not at what the tasks
were doing in the kernel. The words that switches access are observed; a switch that accesses
anything else, or stops in between, is left to `iopermit.kernel.search.transition_cache`.

The key has all that a switch reads: the CPU, those words of both tasks, and the global data. CPUs
are the only things that these data may refer to, and the key tells which of them is the own one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.state.contents import CPU, HEAP, NAMES, SEQUENCE, TASK, Component
from iopermit.kernel.state.state import State, TaskMode, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.search.checked_driver import CheckedDriver
    from iopermit.kernel.search.rules import Move
    from iopermit.system.execution import Action

_FIRST_SEQUENCE: Final = SEQUENCE * NAMES
_FIRST_TASK: Final = TASK * NAMES
_FIRST_CPU: Final = CPU * NAMES
_FIRST_HEAP: Final = HEAP * NAMES
_OWN: Final = -3
_PREVIOUS: Final = -1
_FOLLOWING: Final = -2

Words = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Successor:
    """What an action leads to: a state, or a crash."""

    state: State | None
    crash: Crash | None = None


@dataclass(frozen=True)
class _Effect:
    """What a switch does: the CPU afterwards, and words of the tasks that it changed."""

    cpu: Component
    previous: Words
    following: Words


class SwitchCache:
    """Remembers what switches do."""

    def __init__(self, driver: CheckedDriver) -> None:
        """Execute with `driver` what is not known yet."""
        self.driver, self.kernel = driver, driver.kernel
        self._words: tuple[int, ...] = ()
        self._data: dict[tuple[tuple[int, ...], int], tuple[int, ...] | None] = {}
        self._values: dict[int, Words | None] = {}
        self._known: dict[object, _Effect | None] = {}
        self._changed: dict[tuple[int, Words], int | None] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._known.clear()

    def successor(self, state: State, move: Move) -> Successor | None:
        """Return what a switch leads to, or None if it has to be executed as a whole."""
        action = move.action
        data = self._data_names(state.data[1][1:], action.cpu)
        if data is None:
            return None
        previous = slot_of(state.cpus[action.cpu][1][0])
        target = move.target if move.target >= 0 else None
        before, after = self._looked_at(state, previous), self._looked_at(state, target)
        if before is None or after is None:
            return None
        names = self._names(state, action.cpu, previous, target)
        cpu = state.cpus[action.cpu]
        local = cpu[0], tuple([names.get(n, n) for n in cpu[1]])
        key = (local, before, after, previous is None, target is None, state.data[0], data)
        if key not in self._known:
            effect = self._execute(state, action, names)
            if self._observe():
                return None
            self._known[key] = effect
        effect = self._known[key]
        return None if effect is None else self._apply(state, move, effect, names)

    def _data_names(self, names: tuple[int, ...], cpu: int) -> tuple[int, ...] | None:
        """Return what the global data refers to; None if a switch might reach it by that.

        The kernel's table of per-CPU areas refers to CPUs. The counter is none of the names.
        """
        if (names, cpu) not in self._data:
            own = _FIRST_CPU + cpu
            usable = all(_FIRST_CPU <= n < _FIRST_HEAP for n in names)
            local = tuple([_OWN if n == own else n for n in names])
            self._data[names, cpu] = local if usable else None
        return self._data[names, cpu]

    def _names(
        self, state: State, cpu: int, previous: int | None, target: int | None
    ) -> dict[int, int]:
        names = {}
        if target is not None:
            names[_FIRST_TASK + target] = _FOLLOWING
        if previous is not None:
            names[_FIRST_TASK + previous] = _PREVIOUS
        numbers = sorted({n for n in state.cpus[cpu][1] if n >= _FIRST_SEQUENCE})
        names.update((n, _FIRST_SEQUENCE + rank) for rank, n in enumerate(numbers))
        return names

    def _looked_at(self, state: State, slot: int | None) -> Words | None:
        """Return the words of a task that switches look at; None if one is a pointer."""
        task = state.tasks[slot] if slot is not None else None
        if task is None:
            return ()
        if task[0] not in self._values:
            content = self.kernel.contents[task[0]]
            pointers = {8 * index for index in (*content.places, *content.own)}
            usable = pointers.isdisjoint(self._words)
            words = tuple([(o, content.data[o : o + 8]) for o in self._words])
            self._values[task[0]] = words if usable else None
        return self._values[task[0]]

    def _observe(self) -> bool:
        """Take note of the words that switches access; return whether there are new ones."""
        seen = self.kernel.executor.accesses.seen.tasks
        words = tuple(sorted(seen.other_reads | seen.other_writes))
        if words == self._words:
            return False
        self._words = words
        self.clear()
        return True

    def _execute(self, state: State, action: Action, names: dict[int, int]) -> _Effect | None:
        outcomes = self.driver.execute(state, action)
        after = outcomes[0].state
        first = outcomes[0]
        if len(outcomes) > 1 or after is None or first.foreign or first.heap:
            return None
        if after.data != state.data or self.kernel.cpu_meta(after, action.cpu).switching:
            return None
        following = action["following"]
        target = following if following < len(state.tasks) else None
        previous = slot_of(state.cpus[action.cpu][1][0])
        changes = [self._changes(state, after, slot) for slot in (previous, target)]
        cpu = after.cpus[action.cpu]
        known = all(n in names for n in cpu[1] if n >= _FIRST_SEQUENCE)
        if not known or changes[0] is None or changes[1] is None:
            return None
        local = cpu[0], tuple([names.get(n, n) for n in cpu[1]])
        return _Effect(local, changes[0], changes[1])

    def _changes(self, before: State, after: State, slot: int | None) -> Words | None:
        """Return the words of a task that a switch changed; None if they cannot be told."""
        one = before.tasks[slot] if slot is not None else None
        other = after.tasks[slot] if slot is not None else None
        if one is None or other is None:
            return ()
        old, new = self.kernel.contents[one[0]], self.kernel.contents[other[0]]
        if (old.places, old.own, one[1]) != (new.places, new.own, other[1]):
            return None
        if len(old.data) != len(new.data):
            return None
        return tuple(
            [
                (o, new.data[o : o + 8])
                for o in self._words
                if old.data[o : o + 8] != new.data[o : o + 8]
            ]
        )

    def _apply(self, state: State, move: Move, effect: _Effect, names: dict[int, int]) -> Successor:
        originals = {local: named for named, local in names.items()}
        cpus, tasks = list(state.cpus), list(state.tasks)
        cpu = effect.cpu
        cpus[move.cpu] = cpu[0], tuple([originals.get(n, n) for n in cpu[1]])
        previous = slot_of(state.cpus[move.cpu][1][0])
        if previous is not None:
            tasks[previous] = self._left(tasks[previous], effect.previous)
        if move.target >= 0:
            tasks[move.target] = self._left(tasks[move.target], effect.following)
        return Successor(State(tuple(cpus), tuple(tasks), state.heap, state.data))

    def _left(self, task: Component | None, words: Words) -> Component | None:
        """Return what becomes of a task that is switched away from, or to."""
        assert task is not None  # it is a task of the switch
        key = (task[0], words)
        if key not in self._changed:
            meta = self.kernel.task_meta(task)
            if meta.mode is TaskMode.DEAD:
                self._changed[key] = None
            else:
                mode = TaskMode.RETURN if meta.mode is TaskMode.USER else meta.mode
                self._changed[key] = self.kernel.contents.changed(
                    task[0], meta._replace(mode=mode), words
                )
        number = self._changed[key]
        return None if number is None else (number, task[1])
