"""Contents of memory as small numbers: equal contents, wherever they lie, have the same number.

A component of the state (a CPU, a task, a heap object, the global data) is a pair: the number of
its content, and the names of what it refers to, in order. In the content, words that refer to
something are replaced by the kind of thing and the offset into it; a word that refers to the
component itself has no name at all. So a permutation of task, CPU or heap slots, or a renaming
of sequence numbers, changes names only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

NAMES: Final = 1 << 20
"""Names of one kind; a name is kind * NAMES + number."""
TASK: Final = 1
CPU: Final = 2
HEAP: Final = 3
SEQUENCE: Final = 4
_SELF: Final = 5
_MARK: Final = 0x5EF0_0000_0000_0000
_KIND: Final = 1 << 44

Component = tuple[int, tuple[int, ...]]
"""Number of the content, and the names of what it refers to."""


def name(kind: int, number: int) -> int:
    """Return the name of a task slot, a CPU, a heap slot or a sequence number."""
    return kind * NAMES + number


def kind_of(named: int) -> int:
    """Return what kind of thing a name is for; sequence numbers are as many as one likes."""
    return min(named // NAMES, SEQUENCE)


@dataclass(frozen=True)
class Content:
    """What a component holds besides names.

    Attributes:
        meta: what the driver knows of it: the mode of a task, the current task of a CPU, ...
        data: the bytes, with words that refer to something replaced.
        places: indices (in 8-byte words) of words that refer to something, names' words only.
        own: indices of words that refer to the component itself.
    """

    meta: Hashable
    data: bytes
    places: tuple[int, ...]
    own: tuple[int, ...]
    leading: int
    """How many names come before those of `places`; `meta` says what they are."""


class Contents:
    """Numbers contents and finds them again."""

    def __init__(self, cpus: int, tasks: int, heap: int) -> None:
        """Start without any.

        Args:
            cpus: how many CPUs there are: a word that points behind the last one is no pointer.
            tasks: how many task slots.
            heap: how many heap slots.
        """
        self._ends = {
            at.PER_CPU >> 28: at.PER_CPU + cpus * at.PER_CPU_STRIDE,
            at.TASK >> 28: at.TASK + tasks * at.TASK_STRIDE,
            at.HEAP >> 28: at.HEAP + heap * at.HEAP_STRIDE,
        }
        self._numbers: dict[tuple[Hashable, bytes, int], int] = {}
        self._known: list[Content] = []

    def __len__(self) -> int:
        """Return how many different contents there were."""
        return len(self._known)

    def __getitem__(self, number: int) -> Content:
        """Return the content with a number."""
        return self._known[number]

    def component(
        self, meta: Hashable, data: bytes, own: int, names: tuple[int, ...] = ()
    ) -> Component:
        """Return the component that holds `data`.

        Args:
            meta: what the driver knows of it.
            data: its bytes; a multiple of 8.
            own: its own name, or 0: words that point into it stay relative.
            names: names that `meta` is about.
        """
        words = np.frombuffer(data, "<u8")
        high = words >> np.uint64(28)
        found = np.flatnonzero(
            ((high >= at.PER_CPU >> 28) & (high <= at.HEAP >> 28))
            | ((words >= at.SEQUENCE) & (words < at.SEQUENCE + at.SEQUENCES))
        )
        if not len(found):
            return self.number(meta, data, (), (), len(names)), names
        changed = words.copy()
        places: list[int] = []
        owned: list[int] = []
        targets = list(names)
        for index in found.tolist():
            word = int(words[index])
            if word >= self._ends.get(word >> 28, word + 1):
                # Behind the last slot: no pointer, but poison, or an address that was not valid.
                continue
            target, offset = _target(word)
            if target == own:
                owned.append(index)
                changed[index] = _MARK + _SELF * _KIND + offset
            else:
                places.append(index)
                targets.append(target)
                changed[index] = _MARK + kind_of(target) * _KIND + offset
        number = self.number(meta, changed.tobytes(), tuple(places), tuple(owned), len(names))
        return number, tuple(targets)

    def changed(self, number: int, meta: Hashable, words: tuple[tuple[int, bytes], ...]) -> int:
        """Return the number of a content with other metadata, and other bytes at some offsets."""
        content = self._known[number]
        data = content.data
        if words:
            patched = bytearray(data)
            for offset, value in words:
                patched[offset : offset + len(value)] = value
            data = bytes(patched)
        return self.number(meta, data, content.places, content.own, content.leading)

    def number(
        self,
        meta: Hashable,
        data: bytes,
        places: tuple[int, ...],
        own: tuple[int, ...],
        leading: int,
    ) -> int:
        """Return the number of a content: the arguments are what `Content` has."""
        key = (meta, data, leading)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._known)
            self._known.append(Content(meta, data, places, own, leading))
        return number

    def data_of(self, component: Component, own: int, address: Callable[[int], int]) -> bytes:
        """Return a component's bytes.

        Args:
            component: the component.
            own: its own name.
            address: gives the address, or the value, that a name stands for.
        """
        content = self._known[component[0]]
        if not content.places and not content.own:
            return content.data
        words = np.frombuffer(content.data, "<u8").copy()
        for index in content.own:
            words[index] = address(own) + int(words[index]) % _KIND
        for index, target in zip(content.places, component[1][content.leading :], strict=True):
            words[index] = address(target) + int(words[index]) % _KIND
        return words.tobytes()


def _target(word: int) -> tuple[int, int]:
    """Return what a word refers to, and the offset into it."""
    if word >= at.SEQUENCE:
        return name(SEQUENCE, word - at.SEQUENCE), 0
    if word >= at.HEAP:
        kind, start, stride = HEAP, at.HEAP, at.HEAP_STRIDE
    elif word >= at.TASK:
        kind, start, stride = TASK, at.TASK, at.TASK_STRIDE
    else:
        kind, start, stride = CPU, at.PER_CPU, at.PER_CPU_STRIDE
    number, offset = divmod(word - start, stride)
    return name(kind, number), offset


def address_of(named: int) -> int:
    """Return the address of a slot, or the value of a sequence number."""
    kind = kind_of(named)
    number = named - kind * NAMES
    match kind:
        case 1:
            return at.TASK + number * at.TASK_STRIDE
        case 2:
            return at.PER_CPU + number * at.PER_CPU_STRIDE
        case 3:
            return at.HEAP + number * at.HEAP_STRIDE
        case _:
            return at.SEQUENCE + number
