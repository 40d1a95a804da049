"""What a random statement can name where it stands: fields of the records that are at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.skeleton import DECLARATIONS
from tools.fuzz_designs.generation.vocabulary import GIVEN, HEAP, SHARED, Field

from iopermit.system.events.hooks import HOOKS

if TYPE_CHECKING:
    import random

_EXTRA: Final = 6
"""How much likelier than others the fields are that no protocol needs."""


@dataclass(frozen=True)
class Place:
    """A field of a certain record."""

    text: str
    field: Field

    @property
    def shared(self) -> bool:
        """Whether others can see it, so that a step may touch only one of its kind."""
        return self.field.record in SHARED


@dataclass(frozen=True)
class Scope:
    """The names that can be used, and the fields that there are."""

    fields: tuple[Field, ...]
    hook: str
    names: dict[str, str]
    """The class of the record that each name stands for, which is not NULL."""
    calm: bool = False
    """Whether preemption is off."""

    @classmethod
    def of_method(cls, fields: tuple[Field, ...], name: str) -> Scope:
        """Return the scope of a hook, or of another method that a random design can have."""
        records = dict(re.findall(r"(\w+): (Cpu|Task)\b", DECLARATIONS[name]))
        return cls(fields, name, records, name in HOOKS and not HOOKS[name].preemptible)

    def with_name(self, name: str, record: str) -> Scope:
        """Return a scope with one more name."""
        return replace(self, names={**self.names, name: record})

    def fresh_name(self, rng: random.Random) -> str:
        """Return a name for a local variable that nothing else uses."""
        return f"v{rng.randrange(10**6)}"

    def roots(self) -> list[tuple[str, str]]:
        """Return expressions for records, with their classes."""
        found = list(self.names.items())
        if "cpu" in self.names:
            found.append(("cpu.tss", "Tss"))
            if self.hook != "bring_up":
                found.append(("cpu.current", "Task"))
        return [*found, ("self.globals", "Globals")]

    def places(self) -> list[Place]:
        """Return every field that can be named."""
        every = (*GIVEN, *self.fields)
        return [
            Place(f"{text}.{field.name}", field)
            for text, record in self.roots()
            for field in every
            if field.record == record
        ]

    def places_of(self, name: str) -> list[Place]:
        """Return the fields of the record that a name stands for."""
        return [p for p in self.places() if p.text.rpartition(".")[0] == name]

    def pick(
        self, rng: random.Random, *kinds: str, extra: bool = False, target: str = ""
    ) -> Place | None:
        """Return a place of one of the kinds (all, if none is named); None if there is none.

        ``extra``: only one that no protocol needs. ``target``: a pointer to that class.
        """
        fitting = [
            p
            for p in self.places()
            if (not kinds or p.field.kind in kinds)
            and (p.field.extra or not extra)
            and (not target or p.field.target == target)
        ]
        if not fitting:
            return None
        weights = [_EXTRA if p.field.extra else 1 for p in fitting]
        return rng.choices(fitting, weights)[0]

    def pointers(self, target: str) -> list[str]:
        """Return the names of records of a class."""
        return [name for name, record in self.names.items() if record == target]


def is_heap(record: str) -> bool:
    """Return whether objects of a class are allocated."""
    return record in HEAP
