"""Prints the renaming of tasks, CPUs, heap objects and sequence numbers as native code.

Any renaming gives a state that behaves alike, so the choice of the representative needs no
trust: a poor choice only keeps more states. Slots are ordered by a hash of their contents and
of what they are connected to, heap objects and sequence numbers by their first mention.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from iopermit.translate.native.canonical.renaming import (
    FirstMentions,
    Mention,
    NameTable,
    Zones,
    rename,
)
from iopermit.translate.native.codegen.llvm_types import (
    I64,
    LlvmValue,
    number,
)

if TYPE_CHECKING:
    from iopermit.translate.model.nodes import RecordName
    from iopermit.translate.native.codegen.statements import StatementCode
    from iopermit.translate.native.packing import Place

_MIX = 0x9E3779B97F4A7C15


class Renaming:
    """Emits the renaming of one state."""

    def __init__(self, code: StatementCode) -> None:
        self.code, self.model, self.packing, self.builder = (
            code,
            code.model,
            code.packing,
            code.builder,
        )
        self.references = {
            r: self.packing.zones("ref", r) for r in ("task", "cpu", "tss", *self.model.heap)
        }
        self.counters = self.packing.zones("counter")

    # Hashes.

    def _mix(self, value: LlvmValue) -> LlvmValue:
        product = self.builder.mul(value, number(_MIX))
        return self.builder.xor(product, self.builder.lshr(product, number(29)))

    def _contents(self, record: RecordName, slot: int) -> LlvmValue:
        """Hash a slot without its pointers and sequence numbers."""
        total = number(0)
        for word in range(self.packing.words_per_slot[record]):
            names = [
                p
                for zones in self.references.values()
                for r, p in zones
                if r == record and p.word == word
            ]
            names += [p for r, p in self.counters if r == record and p.word == word]
            keep = (1 << 64) - 1
            for place in names:
                keep &= ~place.mask
            value = self.builder.load(self.code.word_pointer(record, number(slot), word), typ=I64)
            total = self._mix(self.builder.add(total, self.builder.and_(value, number(keep))))
        return total

    def _is(self, value: LlvmValue, wanted: int) -> LlvmValue:
        return self.builder.icmp_unsigned("==", value, number(wanted))

    def _add_if(self, total: LlvmValue, condition: LlvmValue, amount: LlvmValue) -> LlvmValue:
        return self.builder.add(total, self.builder.select(condition, amount, number(0)))

    def _hashes(self) -> dict[tuple[RecordName, int], LlvmValue]:
        """Hash every slot: its contents, and over pointers what it is connected to."""
        counts = self.model.counts
        records = [r for r in counts if r != "globals"]
        plain = {(r, s): self._contents(r, s) for r in records for s in range(counts[r])}
        # There is one record of globals: nothing to sort, but it may refer to what is sorted.
        plain |= {("globals", s): number(0) for s in range(counts.get("globals", 0))}
        total = dict(plain)
        for heap in self.model.heap:
            self._same_counter(heap, plain, total)
        known = dict(total)
        for target, zones in self.references.items():
            if zones:
                targets = [known[target, s] for s in range(self._alike(target))]
                rest = [number(0)] * (counts[target] - len(targets))
                given, received = (
                    self._array([*targets, *rest]),
                    self._array([number(0)] * counts[target]),
                )
                for record, place in zones:
                    self._connect(target, (record, place), (given, received), known, total)
                for slot in range(self._alike(target)) if target not in self.model.heap else ():
                    more = self.builder.load(
                        self.builder.gep(received, [number(slot + 1)]), typ=I64
                    )
                    total[target, slot] = self.builder.add(total[target, slot], more)
        for cpu in range(counts["cpu"]):
            both = self.builder.add(
                total["cpu", cpu], self.builder.mul(total["tss", cpu], number(5))
            )
            total["cpu", cpu] = total["tss", cpu] = both
        return total

    def _array(self, values: list[LlvmValue]) -> LlvmValue:
        """Return an array of hashes by name: 0 for none, then one for each slot."""
        array = self.builder.alloca(I64, len(values) + 1)
        for index, value in enumerate([number(0), *values]):
            self.builder.store(value, self.builder.gep(array, [number(index)]))
        return array

    def _same_counter(
        self,
        heap: RecordName,
        plain: dict[tuple[RecordName, int], LlvmValue],
        total: dict[tuple[RecordName, int], LlvmValue],
    ) -> None:
        """Connect heap objects with the TSSs that hold the same sequence number."""
        mine = [p for r, p in self.counters if r == heap]
        for place in mine:
            for slot in range(self.model.counts[heap]):
                value = self.code.get(heap, number(slot), place)
                used = self.builder.icmp_unsigned("!=", value, number(0))
                for cpu in range(self.model.counts["cpu"]):
                    for other in (p for r, p in self.counters if r == "tss"):
                        same = self.builder.icmp_unsigned(
                            "==", value, self.code.get("tss", number(cpu), other)
                        )
                        both = self.builder.and_(used, same)
                        total[heap, slot] = self._add_if(
                            total[heap, slot], both, self.builder.mul(plain["tss", cpu], number(3))
                        )

    def _connect(
        self,
        target: RecordName,
        zone: tuple[RecordName, Place],
        arrays: tuple[LlvmValue, LlvmValue],
        known: dict[tuple[RecordName, int], LlvmValue],
        total: dict[tuple[RecordName, int], LlvmValue],
    ) -> None:
        """Mix what a pointer refers to into the hash of its holder, and the other way round."""
        builder, (record, place), (given, received) = self.builder, zone, arrays
        salt = number((place.word * 64 + place.shift) * 2 + 1)
        for slot in range(self._slots(record)):
            value = self.code.get(record, number(slot), place)
            referred = builder.load(builder.gep(given, [value]), typ=I64)
            if target in self.model.heap:
                amount = builder.mul(referred, salt)
            else:
                amount = builder.mul(referred, number(7))
                cell = builder.gep(received, [value])
                sent = self._mix(builder.add(known[record, slot], salt))
                builder.store(builder.add(builder.load(cell, typ=I64), sent), cell)
            total[record, slot] = builder.add(total[record, slot], amount)

    def _alike(self, record: RecordName) -> int:
        """Return how many slots of a record have no order; the idle tasks follow their CPUs."""
        return self.model.tasks if record == "task" else self.model.counts[record]

    # Ordering.

    def _order(self, hashes: list[LlvmValue]) -> list[LlvmValue]:
        """Return the old slot for each new position (a sorting network on hash and slot)."""
        items = [(h, number(i)) for i, h in enumerate(hashes)]
        for last in range(len(items) - 1, 0, -1):
            for low, high in pairwise(range(last + 1)):
                (a, i), (b, j) = items[low], items[high]
                swap = self.builder.icmp_unsigned(">", a, b)
                pick = self.builder.select
                items[low] = pick(swap, b, a), pick(swap, j, i)
                items[high] = pick(swap, a, b), pick(swap, i, j)
        return [slot for _, slot in items]

    def rename_slots(self) -> None:
        """Rename tasks, CPUs and heap objects."""
        self.sort_tasks_and_cpus()
        for heap in self.model.heap:
            self.rename_heap(heap)

    def sort_tasks_and_cpus(self) -> None:
        """Put tasks and CPUs into the order of their hashes."""
        hashes = self._hashes()
        tasks = self._order([hashes["task", t] for t in range(self.model.tasks)])
        cpus = [number(c) for c in range(self.model.counts["cpu"])]
        if self.model.cpus_alike:
            cpus = self._order([hashes["cpu", c] for c in range(self.model.counts["cpu"])])
        idle = [self.builder.add(c, number(self.model.tasks)) for c in cpus]
        self._permute("task", [*tasks, *idle])
        self._permute("cpu", cpus)
        self._permute("tss", cpus)

    def _permute(self, record: RecordName, order: list[LlvmValue]) -> None:
        """Move the slots of a record and rename every pointer to them."""
        per_slot = self.packing.words_per_slot[record]
        moved = [
            self.builder.load(self.code.word_pointer(record, old, word), typ=I64)
            for old in order
            for word in range(per_slot)
        ]
        for index, value in enumerate(moved):
            self.builder.store(
                value, self.code.word_pointer(record, number(index // per_slot), index % per_slot)
            )
        names = NameTable(self.code, len(order))
        for position, old in enumerate(order):
            names.enter(self.builder.add(old, number(1)), number(position + 1))
        names.rewrite(self._mentions(self.references.get(record, [])))

    # Renaming by first mention.

    def _slots(self, record: RecordName) -> int:
        """Return how many slots of a record can refer to anything: idle tasks never do."""
        if record == "task" and not self.packing.idle_stored:
            return self.model.tasks
        return self.model.counts[record]

    def _mentions(self, zones: Zones) -> list[Mention]:
        return [(r, slot, place) for r, place in zones for slot in range(self._slots(r))]

    def rename_heap(self, heap: RecordName) -> None:
        """Number heap slots by first mention; slots that nothing refers to follow in order."""
        slots, mentions = self.model.counts[heap], self._mentions(self.references[heap])
        names, found = NameTable(self.code, slots), FirstMentions(self.code, mentions, slots)
        used, new_names = found.count, []
        for slot in range(slots):
            name, mentioned = found.new_name(number(slot + 1))
            used = self.builder.add(used, self.builder.select(mentioned, number(0), number(1)))
            new_names.append(self.builder.select(mentioned, name, used))
            names.enter(number(slot + 1), new_names[-1])
        per_slot = self.packing.words_per_slot[heap]
        words = [
            [
                self.builder.load(self.code.word_pointer(heap, number(s), w), typ=I64)
                for w in range(per_slot)
            ]
            for s in range(slots)
        ]
        for old, new in zip(words, new_names, strict=True):
            for word, value in enumerate(old):
                target = self.code.word_pointer(heap, self.builder.sub(new, number(1)), word)
                self.builder.store(value, target)
        names.rewrite(mentions)

    def rename_counters(self) -> None:
        """Number sequence numbers by first mention."""
        if self.counters:
            mentions = self._mentions(self.counters)
            most = max((1 << place.width) - 1 for _, place in self.counters)
            found = FirstMentions(self.code, mentions, most)
            zero = number(0)
            rename(
                self.code,
                mentions,
                lambda old: self.builder.select(self._is(old, 0), zero, found.new_name(old)[0]),
            )
