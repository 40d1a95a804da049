"""Keeps visible what a merged step relied on: the pointers by which its context held an object.

Some steps are merged on an assumption that the search watches: nobody writes a field of an object
that others refer to; nobody leaves a pointer to an object that he frees. Where the assumption is
broken, the one who breaks it has to find the pointer. A step that came early may be followed, in
the same merged run, by one that drops the pointer; then the one who would have come between finds
nothing. So a step that drops such a pointer is merged only if its context still has another
pointer to the object, or nobody else has one. What is left at the end of the run stays until the
context's next step, before which the early one could have been delayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.translate.model.builder import differ, either, equal, every, negate
from iopermit.translate.model.nodes import (
    ALWAYS,
    NEVER,
    Clear,
    Expr,
    If,
    Load,
    Stmt,
    Store,
    Unshared,
)
from iopermit.translate.model.walk import known_before, targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.translate.analyses.footprints import Footprints
    from iopermit.translate.model.model import Step
    from iopermit.translate.model.nodes import RecordName


@dataclass(frozen=True)
class _Drop:
    """A pointer that a step overwrites, and when it does."""

    pointer: Load
    when: Expr
    """In terms of the state before the step."""


class Retention:
    """Knows for each step when merging it hides no pointer that an earlier step relied on."""

    def __init__(
        self,
        footprints: Footprints,
        conditions: Mapping[int, Expr],
        relying: Mapping[int, frozenset[RecordName]],
    ) -> None:
        """Follow the steps that may be merged after one of ``relying``, by class of objects."""
        self._footprints = footprints
        self._relied: dict[int, frozenset[RecordName]] = {}
        waiting = [(pc, classes) for pc, classes in relying.items() if classes]
        while waiting:
            pc, classes = waiting.pop()
            known = self._relied.get(pc, frozenset())
            if classes <= known:
                continue
            self._relied[pc] = known | classes
            after = targets(footprints.model.steps[pc].body)
            waiting += [(t, self._relied[pc]) for t in after if conditions.get(t, NEVER) != NEVER]

    def relied_upon(self, pc: int) -> frozenset[RecordName]:
        """Return the classes of objects that this step, or one merged before it, relied on."""
        return self._relied.get(pc, frozenset())

    def condition(self, step: Step) -> Expr:
        """Return when a step, executed at once, leaves what steps before it relied on."""
        return every(*(self._kept(step, c) for c in sorted(self.relied_upon(step.pc))))

    def _kept(self, step: Step, target: RecordName) -> Expr:
        drops = self._drops(step, target)
        dropped = {d.pointer for d in drops}
        own = [r for r in self._footprints.own_references(step, target) if r not in dropped]
        owners = tuple(self._footprints.own_tasks(step))
        kept: list[Expr] = []
        for drop in drops:
            old = drop.pointer
            if not known_before(old):
                return NEVER
            others = [equal(other, old) for other in own]
            alone = Unshared(target, old, owners)
            kept.append(either(negate(drop.when), equal(old, 0), *others, alone))
        return every(*kept)

    def _drops(self, step: Step, target: RecordName) -> list[_Drop]:
        """Return the pointers to a class of objects that a step overwrites.

        A local variable that is not live holds none: its place may be that of another one.
        """
        live = self._footprints.model.live.get(step.pc, frozenset())
        found = self._overwritten(step.body, target, ALWAYS)
        held = [d for d in found if not d.pointer.field.local or d.pointer.field in live]
        return list(dict.fromkeys(held))

    def _overwritten(
        self, body: tuple[Stmt, ...], target: RecordName, when: Expr
    ) -> Iterator[_Drop]:
        unchanged = True
        for statement in body:
            match statement:
                case Store(field, index, _):
                    unchanged = False
                    if field.kind == "ref" and field.target == target:
                        yield _Drop(Load(field, index), when)
                case Clear(record, index):
                    unchanged = False
                    for field in self._footprints.model.fields_of(record):
                        if field.kind == "ref" and field.target == target:
                            yield _Drop(Load(field, index), when)
                case If(condition, then, otherwise):
                    plain = unchanged and known_before(condition)
                    for branch, taken in (
                        (then, differ(condition, 0)),
                        (otherwise, negate(condition)),
                    ):
                        inner = every(when, taken) if plain else when
                        yield from self._overwritten(branch, target, inner)
