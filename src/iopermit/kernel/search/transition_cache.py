"""Executes each transition once: what it does depends only on what its CPU and tasks can reach.

The key of a transition is its action with the components that it can reach, renamed locally: the
CPU, its task, a second task that the action is about, the heap objects that these refer to, and of
every other heap slot whether it is in use, dangling or free. A transition that is seen to access
anything else is not remembered by this key (`Outcome.foreign`), but by the whole state.

There are two such keys. The first one leaves the TSS of the CPU out. It is complete for what does
not access a TSS (`Outcome.tss`): states with equal first keys do the same up to the first access
of one, so either all of them access it or none, and none of these can tell or change what is in
it. All others are remembered by the second key, which has the TSS.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from iopermit.kernel.search.switch_cache import Successor, SwitchCache
from iopermit.kernel.search.view import LocalEffect, View
from iopermit.kernel.state.contents import NAMES
from iopermit.kernel.state.divided import DividedCpus
from iopermit.kernel.state.state import State, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.search.checked_driver import CheckedDriver
    from iopermit.kernel.search.rules import Move
    from iopermit.system.execution import Action


class _Missing(Enum):
    """Why no effects are remembered by a key."""

    UNKNOWN = "not executed yet"
    ACCESSES_TSS = "accesses the TSS: remembered by the second key"


_Effects = list[LocalEffect] | None
"""None: it accesses what is not in a view."""


class TransitionCache:
    """Remembers what actions lead to."""

    def __init__(self, driver: CheckedDriver) -> None:
        """Execute with `driver` what is not known yet."""
        self.driver, self.kernel = driver, driver.kernel
        self._known: dict[object, _Effects | _Missing] = {}
        self._with_tss: dict[object, _Effects | _Missing] = {}
        start, end = (
            a - driver.kernel.emulator.image.per_cpu_link for a in driver.kernel.layout.tss_words
        )
        self._divided = DividedCpus(driver.kernel.contents, start, end)
        self._foreign: dict[tuple[State, Action], list[Successor]] = {}
        self.by_states = False
        """Whether nothing but equal states are taken for equal."""
        self.switches = SwitchCache(driver)

    def clear(self) -> None:
        """Forget everything: other scheduling points are used from now on."""
        self._known.clear()
        self._with_tss.clear()
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
        view = self._view(state, action.cpu, slots, views)
        effects = self._known.get(_key(view, move), _Missing.UNKNOWN)
        if effects is _Missing.ACCESSES_TSS:
            view = self._view(state, action.cpu, slots, views, tss=True)
            effects = self._with_tss.get(_key(view, move), _Missing.UNKNOWN)
        if effects is None:
            return self._execute_foreign(state, action)
        if not isinstance(effects, _Missing):
            return view.globalise(effects)
        outcomes = driver.execute(state, action)
        self._remember(View(state, action.cpu, slots, view.divided), move, outcomes)
        return [Successor(o.state, o.crash) for o in outcomes]

    def _view(
        self,
        state: State,
        cpu: int,
        slots: tuple[int, ...],
        views: dict[object, View],
        *,
        tss: bool = False,
    ) -> View:
        view = views.get((cpu, slots, tss))
        if view is None:
            divided = None if tss else self._divided
            view = views[cpu, slots, tss] = View(state, cpu, slots, divided)
        return view

    def _remember(self, view: View, move: Move, outcomes: list[Outcome]) -> None:
        """Remember what an action leads to, by the key that has all that it accesses."""
        known = self._with_tss if view.divided is None else self._known
        if view.divided is not None and any(outcome.tss for outcome in outcomes):
            known[_key(view, move)] = _Missing.ACCESSES_TSS
            view, known = View(view.state, view.cpu, view.slots), self._with_tss
        foreign = any(outcome.foreign for outcome in outcomes)
        known[_key(view, move)] = None if foreign else [view.localise(o) for o in outcomes]

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


def _key(view: View, move: Move) -> object:
    return view.key, move.key, move.target < 0
