"""The state that a random design declares: its fields, and how each is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RECORDS: Final = ("Note", "Map", "Task", "Tss", "Cpu", "Globals")
"""The classes of a random design, in the order in which they are written down."""

HEAP: Final = frozenset({"Note", "Map"})
"""Those whose objects are allocated."""

SHARED: Final = HEAP | {"Globals"}
"""Those of which a statement may touch one field on each side."""

MOST: Final = 3
"""The largest value of a small number."""

_ANNOTATIONS: Final = {
    "bool": "bool = False",
    "number": f"Annotated[int, Range(0, {MOST})] = 0",
    "sequence": "Sequence = 0",
    "refcount": "Refcount = 0",
    "longs": "Longs = 0",
    "level": "IoplLevel = 0",
    "base": "IoMapBase = IoMapBase.INVALID",
    "bitmap": "Bitmap",
}

_BASES: Final = {
    "Note": "HeapObject",
    "Map": "HeapObject",
    "Task": "machine_state.Task",
    "Tss": "machine_state.Tss",
    "Cpu": "machine_state.Cpu",
    "Globals": "records.Globals",
}


@dataclass(frozen=True)
class Field:
    """One declared field of a class."""

    record: str
    name: str
    kind: str
    """``ref``, or a key of the annotations above."""
    target: str = ""
    """The class that a ``ref`` refers to."""
    extra: bool = False
    """Whether the protocol of the ports does not need it: random statements may write it."""

    @property
    def text(self) -> str:
        """The declaration."""
        if self.kind == "ref":
            return f"{self.name}: Ref[{self.target}] = NULL"
        return f"{self.name}: {_ANNOTATIONS[self.kind]}"


GIVEN: Final = (
    Field("Task", "privileged", "bool"),
    Field("Task", "kernel_thread", "bool"),
    Field("Tss", "io_map_base", "base"),
    Field("Cpu", "tr_limit_low", "bool"),
)
"""Fields that every design has; the classes need not declare them."""

ONLY_READ: Final = frozenset({"privileged", "kernel_thread"})
"""Those that are the system's: designs only read them."""


def class_text(record: str, fields: list[Field]) -> str:
    """Return the class of one record, with those of the fields that are its own."""
    lines = [f.text for f in fields if f.record == record]
    if record == "Cpu":
        lines = [
            "current: Ref[Task] = NULL",
            'tss: Annotated[Tss, "this CPU\'s own TSS"] = NULL',
            *lines,
        ]
    body = "\n".join(f"    {line}" for line in lines or ["pass"])
    return f"class {record}({_BASES[record]}):\n{body}\n"
