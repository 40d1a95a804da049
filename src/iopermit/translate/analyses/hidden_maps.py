"""Finds what a TSS may hold behind an invalid base that nothing can tell from a fresh TSS.

A stale map is the very thing that may leak, so whether it matters is not decided here: the
search tries every stale map that it has met, and gives the reduction up if one makes a difference
(`native/canonical/hidden_maps.py`). What is decided here is only where such maps are. A map that
was just written, before its base is stored, always makes a difference; so it takes merging of
steps, which lets both happen at once.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from iopermit.translate.analyses.footprints import Footprints
from iopermit.translate.model.accesses import accesses
from iopermit.translate.model.builder import differ, either, equal, every, negate
from iopermit.translate.model.nodes import CPU, Const, Expr, Field, Load
from iopermit.translate.model.walk import loads_of, subexpressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.translate.model.model import Model

MOST_BITS = 12
"""More bits of a TSS than this are not looked at: every combination may have to be tried."""


class HiddenMaps:
    """Which fields of a TSS hold a hidden map, and when."""

    def __init__(self, model: Model) -> None:
        """Analyse ``model``."""
        self.model = model
        declared = [f for f in model.fields_of("tss") if not f.local]
        self.references = [f for f in declared if f.kind == "ref"]
        self.fields = tuple(
            f
            for f in declared
            if f.kind != "ref" and (f.kind == "bitmap" or f not in model.consulted)
        )
        """What is behind the base: the map, and what the design notes about it."""
        self.counters = [f for f in self.fields if f.kind == "counter"]

    @property
    def is_possible(self) -> bool:
        """Whether a hidden map can be forgotten: every TSS is touched by its own CPU only."""
        return (
            bool(self.fields)
            and len(self.counters) <= 1
            and self.bits <= MOST_BITS
            and all(slot == CPU for slot in self._slots())
            and self._hidden_until_touched()
            and all(len(set(self._brought_up(f))) == 1 for f in self.fields)
        )

    def _hidden_until_touched(self) -> bool:
        """Return whether nothing but the CPU's own steps can make its hidden map visible.

        Only these are tried with every hidden map.
        """
        looked_at = loads_of(self.model.map_is_valid)
        foreign = Footprints(self.model).foreign
        return all(
            load.field.record in ("cpu", "tss") and load.index == CPU and load.field not in foreign
            for load in looked_at
        )

    @property
    def bits(self) -> int:
        """How many bits tell hidden maps apart; of a sequence number only whether it is 0."""
        return sum(self.width(f) for f in self.fields)

    @staticmethod
    def width(field: Field) -> int:
        """Return how many bits of a field tell hidden maps apart."""
        return 1 if field.kind == "counter" else field.width

    def fresh(self, field: Field) -> int:
        """Return the value of a field in a TSS that was just brought up."""
        return self._brought_up(field)[0]

    def _brought_up(self, field: Field) -> list[int]:
        """Return the values of a field after bring-up, one for each CPU."""
        cpus = self.model.counts["cpu"]
        return self.model.brought_up.get((field.record, field.name), [0] * cpus)

    @property
    def fresh_number(self) -> int:
        """The number of the hidden map of a TSS that was just brought up."""
        total = shift = 0
        for field in self.fields:
            total |= self.fresh(field) << shift
            shift += self.width(field)
        return total

    def condition(self) -> Expr:
        """Return when the processor ignores the map of a CPU, and no object has its number."""
        unknown = [self._is_held_nowhere_else(f) for f in self.counters]
        loose = [equal(Load(f, CPU), 0) for f in self.references]
        return every(negate(self.model.map_is_valid), *loose, *unknown)

    def _is_held_nowhere_else(self, counter: Field) -> Expr:
        own = Load(counter, CPU)
        others = [
            Load(f, Const(slot))
            for f in self.model.fields
            if f.kind == "counter" and f != counter
            for slot in range(self.model.counts[f.record])
        ]
        return either(equal(own, 0), every(*(differ(own, other) for other in others)))

    def _slots(self) -> Iterator[Expr]:
        """Yield the slot of every access to a TSS."""
        rules = [*self.model.user_rules, *self.model.thread_rules, *self.model.switch_rules]
        bodies = [*(s.body for s in self.model.steps.values()), *(r.body for r in rules)]
        for access in itertools.chain.from_iterable(map(accesses, bodies)):
            if access.field.record == "tss":
                yield access.slot
        for part in itertools.chain.from_iterable(subexpressions(r.guard) for r in rules):
            if isinstance(part, Load) and part.field.record == "tss":
                yield part.index


def hidden_maps(model: Model, *, renamed: bool) -> HiddenMaps | None:
    """Return what of a TSS may be forgotten, or None if nothing can be.

    ``renamed`` says whether sequence numbers are: else each is a hidden map of its own.
    """
    hidden = HiddenMaps(model)
    return hidden if hidden.is_possible and (renamed or not hidden.counters) else None
