"""What the merging of steps assumes of objects on the heap, while the search watches every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from iopermit.translate.model.nodes import Binary, Field, Load, Store
from iopermit.translate.model.walk import statements

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import RecordName


@dataclass(frozen=True)
class Reclaimed:
    """No pointer to an object of a class is left by the step that frees it."""

    record: RecordName

    def __str__(self) -> str:
        """Name the class."""
        return f"no pointer to a freed {self.record}"


Assumption: TypeAlias = Field | Reclaimed
"""A field of heap objects stands for: it is not written while anybody else refers to the object."""


def assumptions(model: Model) -> tuple[Assumption, ...]:
    """Return what is assumed at first.

    A count that steps raise is one of references: it is there to be written while it is shared.
    """
    counts = {
        s.field
        for step in model.steps.values()
        for s in statements(step.body)
        if isinstance(s, Store) and _raises(s)
    }
    unwritten = [f for f in model.fields if f.record in model.heap and f not in counts]
    return (*unwritten, *(Reclaimed(record) for record in model.heap))


def _raises(store: Store) -> bool:
    match store.value:
        case Binary("add", Load(field, _), _):
            return field == store.field
    return False
