"""Chooses the fields of shared objects that the merging of steps assumes nobody writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import Binary, Load, Store
from iopermit.translate.model.walk import statements

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import Field


def assumed_unwritten(model: Model) -> tuple[Field, ...]:
    """Return the heap fields that the merging of steps may assume unwritten at first.

    A count that steps raise is one of references: it is there to be written while it is shared.
    """
    counts = {
        s.field
        for step in model.steps.values()
        for s in statements(step.body)
        if isinstance(s, Store) and _raises(s)
    }
    return tuple(f for f in model.fields if f.record in model.heap and f not in counts)


def _raises(store: Store) -> bool:
    match store.value:
        case Binary("add", Load(field, _), _):
            return field == store.field
    return False
