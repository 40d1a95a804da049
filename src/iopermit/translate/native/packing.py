"""Where each field of a model lies in the packed state.

A state has two forms. In the working form every record slot has its own 64-bit words, so that
steps and permutations of slots are cheap. In the stored form the used bits of all words are
strung together; the search keeps millions of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.translate.analyses.footprints import Footprints
from iopermit.translate.model.nodes import KERNEL_THREAD, Field, FieldKind, RecordName, Store
from iopermit.translate.model.walk import statements

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model

WORD = 64


@dataclass(frozen=True)
class Place:
    """The position of a field inside the words of its record slot."""

    word: int
    shift: int
    width: int

    @property
    def mask(self) -> int:
        """The bits of the field in its word."""
        return ((1 << self.width) - 1) << self.shift


@dataclass(frozen=True)
class StoredPart:
    """A run of bits of a working word that the stored form keeps."""

    word: int
    """Index in the working form."""
    width: int


class Packing:
    """The layout of the states of one model."""

    def __init__(self, model: Model) -> None:
        """Lay out all fields."""
        self.model = model
        self.places: dict[Field, Place] = {}
        self.words_per_slot: dict[RecordName, int] = {}
        self._used: dict[RecordName, list[int]] = {}
        for record in model.counts:
            self._lay_out(record)
        self.base: dict[RecordName, int] = {}
        total = 0
        for record, count in model.counts.items():
            self.base[record] = total
            total += count * self.words_per_slot[record]
        self.words = total
        self.idle_stored = _idle_tasks_change(model)
        self.parts = self._stored_parts()
        self.stored_bits = sum(part.width for part in self.parts)
        self.stored_words = -(-self.stored_bits // WORD)

    def word(self, record: RecordName, slot: int, place_word: int) -> int:
        """Return the index of a word in the working form."""
        return self.base[record] + slot * self.words_per_slot[record] + place_word

    def zones(self, kind: FieldKind, target: RecordName = "") -> list[tuple[RecordName, Place]]:
        """Return the distinct places of all fields of a kind, e.g. all pointers to tasks."""
        found = {
            (f.record, self.places[f]): None
            for f in self.model.fields
            if f.kind == kind and f.target == target
        }
        return list(found)

    def idle_words(self) -> dict[tuple[RecordName, int, int], int]:
        """Return the words of the idle tasks' records: plain kernel threads without anything."""
        pc = self.places[self.model.kernel.task_pc]
        words: dict[tuple[RecordName, int, int], int] = {}
        for slot in range(self.model.tasks, self.model.counts["task"]):
            for field in self.model.fields_of("task"):
                place = self.places[field]
                value = (
                    KERNEL_THREAD << place.shift
                    if place == pc
                    else self.model.idle.get(field.name, 0) << place.shift
                )
                key = ("task", slot, place.word)
                words[key] = words.get(key, 0) | value
        return words

    def working(self, values: dict[tuple[RecordName, str], list[int]]) -> list[int]:
        """Return the working form of a state given by the values of its fields."""
        words = [0] * self.words
        for field, place in self.places.items():
            for slot, value in enumerate(values[field.record, field.name]):
                if value:
                    words[self.word(field.record, slot, place.word)] |= value << place.shift
        return words

    def values(self, words: list[int]) -> dict[tuple[RecordName, str], list[int]]:
        """Return the values of all fields of a state in working form.

        Variables that share bits are all read; only the live ones mean something.
        """
        return {
            (field.record, field.name): [
                words[self.word(field.record, slot, place.word)] >> place.shift
                & (1 << place.width) - 1
                for slot in range(self.model.counts[field.record])
            ]
            for field, place in self.places.items()
        }

    # Internals.

    def _lay_out(self, record: RecordName) -> None:
        fields = self.model.fields_of(record)
        taken: list[int] = []
        for declared in (f for f in fields if not f.local):
            self._place(declared, taken, taken)
        self._place_locals([f for f in fields if f.local], taken)
        self.words_per_slot[record] = max(1, len(taken))
        self._used[record] = taken or [0]

    def _place_locals(self, variables: list[Field], taken: list[int]) -> None:
        """Let variables that are never alive together share bits.

        Pointers share only with pointers to the same record and counter values only with
        counter values: then every pointer and every counter value can be found without
        knowing where the task is.
        """
        declared = list(taken)
        by_zone: dict[tuple[str, str], list[int]] = {}
        order = sorted(
            variables, key=lambda f: (f.kind not in ("ref", "counter"), f.target, -f.width, f.name)
        )
        conflicts = {
            v: frozenset().union(*(t for t in self.model.live_together if v in t))
            for v in variables
        }
        for variable in order:
            special = variable.kind in ("ref", "counter")
            zone = (variable.kind, variable.target) if special else ("", "")
            blocked = list(declared)
            for other, mask in by_zone.items():
                if other != zone:
                    blocked = _union(blocked, mask)
            for other_variable in conflicts[variable]:
                if other_variable in self.places and other_variable is not variable:
                    place = self.places[other_variable]
                    blocked = _union(blocked, [0] * place.word + [place.mask])
            if special:
                blocked = self._aligned(variable, zone, by_zone, blocked)
            self._place(variable, blocked, taken)
            place = self.places[variable]
            by_zone[zone] = _union(by_zone.get(zone, []), [0] * place.word + [place.mask])

    def _aligned(
        self,
        variable: Field,
        zone: tuple[str, str],
        by_zone: dict[tuple[str, str], list[int]],
        blocked: list[int],
    ) -> list[int]:
        """Prefer exactly the place of an earlier pointer of the zone, or one beside them all."""
        for other, place in self.places.items():
            same = (
                other.local
                and other.record == variable.record
                and (other.kind, other.target) == zone
            )
            free = place.word >= len(blocked) or not blocked[place.word] & place.mask
            if same and place.width == variable.width and free:
                everything = (1 << WORD) - 1
                return [everything] * place.word + [everything & ~place.mask]
        return _union(blocked, by_zone.get(zone, []))

    def _place(self, variable: Field, blocked: list[int], taken: list[int]) -> None:
        mask = (1 << variable.width) - 1
        word = shift = 0
        while word < len(blocked) and blocked[word] >> shift & mask:
            shift += 1
            if shift + variable.width > WORD:
                word, shift = word + 1, 0
        self.places[variable] = Place(word, shift, variable.width)
        taken.extend([0] * (word + 1 - len(taken)))
        taken[word] |= mask << shift

    def _stored_parts(self) -> list[StoredPart]:
        parts = []
        for record, count in self.model.counts.items():
            slots = count if record != "task" or self.idle_stored else self.model.tasks
            for slot in range(slots):
                for number, used in enumerate(self._used[record]):
                    if used:
                        parts.append(StoredPart(self.word(record, slot, number), used.bit_length()))
        return parts


def _union(left: list[int], right: list[int]) -> list[int]:
    size = max(len(left), len(right))
    pad = [*left, *[0] * (size - len(left))], [*right, *[0] * (size - len(right))]
    return [a | b for a, b in zip(*pad, strict=True)]


def _idle_tasks_change(model: Model) -> bool:
    """Return whether the record of an idle task can change.

    A context switch may write to the tasks that it switches, a step to any that it points to.
    """
    footprints = Footprints(model)
    if any(f.record == "task" for f in footprints.foreign & footprints.written):
        return True
    bodies = [step.body for step in model.steps.values() if step.context == "cpu"]
    return any(
        isinstance(s, Store) and s.field.record == "task"
        for body in bodies
        for s in statements(body)
    )
