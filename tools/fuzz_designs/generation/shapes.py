"""The shapes of right designs: where maps are kept, when they are loaded, how they are tagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.fuzz_designs.generation.vocabulary import Field

if TYPE_CHECKING:
    import random


@dataclass(frozen=True)
class Shape:
    """One way to build a right design, or one that is right in some scenarios."""

    storage: str
    """``inline`` in the task, ``heap`` one object for each task, ``shared`` counted objects."""
    load: str
    """When the TSS gets the map: at the ``switch``, at the ``return`` to user mode, there if the
    switch left a ``mark``, at a ``fault``."""
    tag: str
    """What says that the TSS has the map: ``none``, a ``sequence`` number, the ``owner`` task,
    the ``object``."""
    dirty: bool
    """Whether only the dirty part of the map is copied."""
    consulted: str
    """Where the base that counts is: in the ``tss``, the ``cpu``, the ``globals``, or ``chosen``
    by a condition."""
    iopl: str
    """``none``, ``level`` of the processor, ``flag`` turned into one, or a ``map`` of all ports."""
    limit: str
    """What a VM exit does: ``none`` happens, repair at ``once``, or ``later``."""
    disguise: int
    """Which equal form of an expression the consulted functions have."""
    again: str = "right"
    """What a handler of #GP says: the ``right`` thing, ``always`` that the access can be repeated
    (without repairing anything: ``blind``; before it repairs at the ``second`` time), or the way
    back to user mode takes away what it has repaired (``spoiled``)."""

    @property
    def on_heap(self) -> bool:
        """Whether maps are objects."""
        return self.storage != "inline"

    @property
    def words(self) -> list[str]:
        """What is special about it."""
        found = [self.storage, f"load at {self.load}"]
        found += [f"tag {self.tag}"] * (self.tag != "none") + ["dirty part"] * self.dirty
        found += [f"base in {self.consulted}"] * (self.consulted != "tss")
        found += [f"iopl {self.iopl}"] * (self.iopl != "none")
        found += [f"limit {self.limit}"] * (self.limit != "none")
        found += [f"again {self.again}"] * (self.again != "right")
        return found + [f"form {self.disguise}"] * (self.disguise > 0)

    def has(self, task: str) -> str:
        """Return the test whether a task has a map."""
        return f"{task}.map is not NULL" if self.on_heap else f"{task}.has_map"

    def bits(self, task: str) -> str:
        """Return the map of a task."""
        return f"{task}.map.bits" if self.on_heap else f"{task}.bits"

    def sequence(self, task: str) -> str:
        """Return the sequence number of a task's map."""
        return f"{task}.map.sequence" if self.on_heap else f"{task}.sequence"

    def fields(self) -> list[Field]:
        """Return the state that the protocol needs."""
        home = "Map" if self.on_heap else "Task"
        found = [Field(home, "bits", "bitmap")]
        found.append(Field("Task", "map", "ref", "Map") if self.on_heap else _flag("has_map"))
        if self.storage == "shared":
            found.append(Field("Map", "refcnt", "refcount"))
        found += self._tag_fields(home)
        if self.load == "mark":
            found.append(_flag("stale"))
        if self.again == "second":
            found.append(_flag("tried"))
        if self.dirty:
            found.append(Field("Tss", "dirty", "longs"))
        found += {
            "tss": [],
            "cpu": [Field("Cpu", "in_force", "base")],
            "globals": [Field("Globals", "in_force", "base")],
            "chosen": [Field("Cpu", "open", "bool")],
        }[self.consulted]
        if self.iopl != "none":
            kind = "bool" if self.iopl == "flag" else "level"
            found.append(Field("Task", "raw", kind))
        if self.limit == "later":
            found.append(Field("Cpu", "low", "bool"))
        return found

    def _tag_fields(self, home: str) -> list[Field]:
        return {
            "none": [],
            "sequence": [
                Field(home, "sequence", "sequence"),
                Field("Tss", "sequence", "sequence"),
            ],
            "owner": [Field("Tss", "owner", "ref", "Task")],
            "object": [Field("Tss", "owner", "ref", "Map")],
        }[self.tag]


def _flag(name: str) -> Field:
    return Field("Task", name, "bool")


def random_shape(rng: random.Random) -> Shape:
    """Return a shape; the plainer ones are likelier."""
    storage = rng.choices(["inline", "heap", "shared"], [3, 4, 3])[0]
    load = rng.choices(["switch", "return", "mark", "fault"], [3, 3, 2, 3])[0]
    says = ["right", *(["always", "blind", "second", "spoiled"] if load == "fault" else [])]
    tags = ["none", "sequence", "owner", *(["object"] if storage != "inline" else [])]
    weights = [5, 3, 1, 3][: len(tags)]
    iopls = ["none", "level", "flag", *(["map"] if load != "fault" else [])]
    return Shape(
        storage,
        load,
        rng.choices(tags, weights)[0],
        rng.random() < 0.25,
        rng.choices(["tss", "cpu", "globals", "chosen"], [6, 1, 1, 1])[0],
        rng.choices(iopls, [6, 2, 1, 2][: len(iopls)])[0],
        rng.choices(["none", "once", "later"], [8, 1, 1])[0],
        rng.choices(range(5), [8, 1, 1, 1, 1])[0],
        rng.choices(says, [6, 2, 1, 3, 1][: len(says)])[0],
    )
