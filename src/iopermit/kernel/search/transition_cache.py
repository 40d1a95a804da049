"""Executes each transition once: what it does depends only on what its CPU and tasks can reach.

The key of a transition is its action with the components that it can reach, renamed locally: the
CPU, its task, a second task that the action is about, the heap objects that these refer to, and of
every other heap slot whether it is in use, dangling or free. A transition that is seen to access
anything else is not remembered by this key (`Outcome.foreign`), but by the whole state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.search.switch_cache import Successor, SwitchCache
from iopermit.kernel.search.view import LocalEffect, View
from iopermit.kernel.state.contents import NAMES
from iopermit.kernel.state.state import State, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.search.checked_driver import CheckedDriver
    from iopermit.kernel.search.rules import Move
    from iopermit.system.execution import Action


class _Unknown:
    """Stands for what was not executed yet."""


_UNKNOWN: Final = _Unknown()


class TransitionCache:
    """Remembers what actions lead to."""

    def __init__(self, driver: CheckedDriver) -> None:
        """Execute with `driver` what is not known yet."""
        self.driver, self.kernel = driver, driver.kernel
        self._known: dict[object, list[LocalEffect] | None] = {}
        self._foreign: dict[tuple[State, Action], list[Successor]] = {}
        self.by_states = False
        """Whether nothing but equal states are taken for equal."""
        self.switches = SwitchCache(driver)

    def clear(self) -> None:
        """Forget everything: other scheduling points are used from now on."""
        self._known.clear()
        self._foreign.clear()
        self.switches.clear()

    def successors(self, state: State, move: Move, views: dict[object, View]) -> list[Successor]:
        """Return what an action leads to, in a list with one item for each outcome.

        Args:
            state: the state.
            move: the action.
            views: views of this state that were made already; new ones are added.
        """
        driver, action = self.driver, move.action
        if self.by_states:
            return self._execute_foreign(state, action)
        if move.is_switch:
            step = self.switches.successor(state, move)
            if step is not None:
                return [step]
        slots = self._slots(state, move)
        view = views.get((action.cpu, slots))
        if view is None:
            view = views[action.cpu, slots] = View(state, action.cpu, slots)
        key = (view.key, move.key, move.target < 0)
        effects = self._known.get(key, _UNKNOWN)
        if effects is None:
            return self._execute_foreign(state, action)
        if not isinstance(effects, _Unknown):
            return view.globalise(effects)
        outcomes = driver.execute(state, action)
        if any(outcome.foreign for outcome in outcomes):
            self._known[key] = None
        else:
            view = View(state, action.cpu, slots)
            self._known[key] = [view.localise(outcome) for outcome in outcomes]
        return [Successor(o.state, o.crash) for o in outcomes]

    def _execute_foreign(self, state: State, action: Action) -> list[Successor]:
        if (state, action) not in self._foreign:
            outcomes = self.driver.execute(state, action)
            self._foreign[state, action] = [Successor(o.state, o.crash) for o in outcomes]
        return self._foreign[state, action]

    def _slots(self, state: State, move: Move) -> tuple[int, ...]:
        """Return the tasks that an action is about, the current one first."""
        names = state.cpus[move.cpu][1]
        slot = slot_of(names[0])
        slots = () if slot is None else (slot,)
        if move.target >= 0:
            return (*slots, move.target)
        if not move.is_step:
            return slots
        if self.kernel.cpu_meta(state, move.cpu).switching:
            following = slot_of(names[1])
            return slots if following is None else (*slots, following)
        task = None if slot is None else state.tasks[slot]
        if task is None:
            return slots
        leading = self.kernel.contents[task[0]].leading
        return (*slots, *[n % NAMES for n in task[1][:leading]])
