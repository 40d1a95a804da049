"""Finds the fields of tasks whose value nothing can read any more, so that states can be equal.

A dead task's privilege, for example, or the ports that a kernel thread inherited: user code of
that task will never run again. `liveness.py` does the same for local variables of functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import (
    CPU,
    EMBRYO,
    FREE,
    KERNEL_THREAD,
    STOPPED,
    TASK,
    USER,
    Field,
    Goto,
    If,
    Load,
    Store,
)
from iopermit.translate.model.walk import loads, loads_of, targets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import Stmt

Fields = frozenset[Field]
NONE: Fields = frozenset()


class DeadFields:
    """Knows which fields of a task are dead, by its ``pc`` and whether it is a kernel thread.

    Pointers and sequence numbers are never dead here: they keep objects from being garbage.
    Fields that a context switch or another task reads are always alive.
    """

    def __init__(self, model: Model) -> None:
        """Analyse ``model``."""
        self.model = model
        everywhere = _read_by_others(model)
        # What the scheduler and the return path read at any time.
        scheduling = (model.kernel.task_pc, model.kernel.home, model.kernel.kernel_thread)
        self.fields: Fields = frozenset(
            f
            for f in model.fields_of("task")
            if not f.local
            and f.kind not in ("ref", "counter")
            and f not in scheduling
            and f not in everywhere
        )
        """The fields that can be dead."""
        self._live = {thread: self._alive(kernel_thread=thread) for thread in (False, True)}

    def dead(self, pc: int, *, kernel_thread: bool) -> Fields:
        """Return the fields that are dead in a task at ``pc``."""
        return self.fields - self._live[kernel_thread].get(pc, NONE)

    def _alive(self, *, kernel_thread: bool) -> dict[int, Fields]:
        """Return the live fields for each ``pc``, for one of the two kinds of task."""
        live = dict.fromkeys(self.model.steps, NONE)
        live[USER] = NONE if kernel_thread else self.fields
        live[STOPPED] = live[USER]
        live[FREE] = NONE
        flow = _FieldFlow(self, live, kernel_thread=kernel_thread)
        following = {pc: targets(step.body) for pc, step in self.model.steps.items()}
        waiting = order = sorted(following, reverse=True)
        while waiting:
            changed = set()
            for pc in waiting:
                fields = flow.before(self.model.steps[pc].body)
                if fields != live[pc]:
                    live[pc] = fields
                    changed.add(pc)
            thread = flow.kernel_thread()
            found = {
                KERNEL_THREAD: thread,
                EMBRYO: thread if kernel_thread else self.fields,
                # It goes on where it was stopped: what is dead there was forgotten before.
                STOPPED: live[self.model.return_pc],
            }
            changed |= {pc for pc, fields in found.items() if live.get(pc) != fields}
            live |= found
            waiting = [pc for pc in order if following[pc] & changed]
        return live


class _FieldFlow:
    """One pass of the analysis, against the direction of control."""

    def __init__(
        self, analysis: DeadFields, live: dict[int, Fields], *, kernel_thread: bool
    ) -> None:
        self.analysis, self.live, self.is_thread = analysis, live, kernel_thread
        self._read_by: dict[int, Fields] = {}

    def kernel_thread(self) -> Fields:
        """Return what is live in a kernel thread between two events."""
        found = NONE
        for rule in self.analysis.model.thread_rules:
            found |= self._read([s for s in rule.body if not self._is_copy(s)])
            found |= self._loads(loads_of(rule.guard)) | self.live.get(rule.starts, NONE)
        return found

    def before(self, body: tuple[Stmt, ...]) -> Fields:
        """Return what is live before a body that ends with gotos."""
        return self._before(body, NONE)

    def _before(self, body: tuple[Stmt, ...], after: Fields) -> Fields:
        for statement in reversed(body):
            match statement:
                case Goto(target):
                    after = self.live.get(target, NONE)
                case If(Load(field, index), then, otherwise) if (
                    field == self.analysis.model.kernel.kernel_thread and index == TASK
                ):
                    after = self._before(then if self.is_thread else otherwise, after)
                case If(_, then, otherwise):
                    branches = self._before(then, after) | self._before(otherwise, after)
                    after = branches | self._own(statement)
                case _ if self._is_copy(statement):
                    pass
                case Store(field, index, _) if index == TASK:
                    after = (after - {field}) | self._own(statement)
                case _:
                    after |= self._own(statement)
        return after

    def _is_copy(self, statement: Stmt) -> bool:
        """Return whether a kernel thread only hands a field on to a thread that it makes."""
        match statement:
            case Store(field, _, Load(source, index)):
                return self.is_thread and field == source and index == TASK
        return False

    def _own(self, statement: Stmt) -> Fields:
        """Return what a statement reads, but for its branches; it is asked for in every pass."""
        key = id(statement)
        if key not in self._read_by:
            parts = (
                loads_of(statement.condition) if isinstance(statement, If) else loads((statement,))
            )
            self._read_by[key] = self._loads(parts)
        return self._read_by[key]

    def _read(self, body: list[Stmt]) -> Fields:
        return self._loads(loads(tuple(body)))

    def _loads(self, parts: Iterable[Load]) -> Fields:
        return frozenset(load.field for load in parts) & self.analysis.fields


def _read_by_others(model: Model) -> Fields:
    """Return the fields that a context switch reads, or a task reads of another task."""
    found = set()
    for step in model.steps.values():
        for load in loads(step.body):
            own = load.index == TASK or _is_current(model, load)
            if step.context == "cpu" or not own:
                found.add(load.field)
    for rule in model.switch_rules:
        found |= {load.field for load in (*loads_of(rule.guard), *loads(rule.body))}
    return frozenset(found)


def _is_current(model: Model, load: Load) -> bool:
    """Return whether a task's field is read through its own CPU's ``current``."""
    return loads_of(load.index) == [Load(model.kernel.current, CPU)]
