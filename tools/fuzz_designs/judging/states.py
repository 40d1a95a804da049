"""Compares the sets of states that two searches visited: finer than comparing verdicts.

A reduction that only renames states, or clears what nothing can read, visits exactly the images
of all states. Merging skips states in which something is under way; but those in which every task
is in user mode or waits must be the same. (Symmetry is left out: its representatives are not
unique.)
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

import numpy as np
from tools.fuzz_designs.judging.renamings import really_missing

from iopermit.translate.model.nodes import FREE, KERNEL_THREAD, USER

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tools.fuzz_designs.judging.configurations import Made

    from iopermit.translate.native.packing import Packing

    States = NDArray[np.uint64]

RENAMING: Final = frozenset({"counters", "dead", "arguments"})
"""Configurations in which every single step is kept."""

MERGING: Final = frozenset({"merging", "hidden", "all but symmetry"})
"""Configurations in which steps are merged."""

_MOST: Final = 100_000
"""States up to which those in the middle of something are compared, too."""

_WORD: Final = 64


def different_states(plain: Made, reduced: Made) -> str:
    """Return how the states are different, or an empty text."""
    renaming = reduced.name in RENAMING
    if not (plain.exhausted and reduced.exhausted):
        return ""
    if not renaming and (reduced.name not in MERGING or plain.kinds):
        return ""
    numbered = any(f.kind == "counter" for f in plain.native.compiled.model.fields)
    if reduced.name == "merging" and numbered:
        return ""  # which number comes next depends on the order of steps
    theirs, ours = as_rows(plain), as_rows(reduced)
    if not renaming or len(theirs) > _MOST:
        theirs, ours = theirs[_at_rest(plain, theirs)], ours[_at_rest(reduced, ours)]
    images, visited = _distinct(_images(reduced, theirs)), _distinct(ours)
    missing, more = np.setdiff1d(images, visited), np.setdiff1d(visited, images)
    if not renaming:
        missing = really_missing(reduced.native, missing, visited)
        more = really_missing(reduced.native, more, images)
    if not missing.size and not more.size:
        return ""
    text = f"of {images.size} states {missing.size} or more are not visited, {more.size} others are"
    return f"{text}; {_example(reduced, missing if missing.size else more)}"


def as_rows(made: Made) -> States:
    """Return the visited states, one in each row."""
    width = made.native.words
    return np.frombuffer(made.states, np.uint64).reshape(-1, width).copy()


def _at_rest(made: Made, states: States) -> NDArray[np.bool_]:
    """Return in which states no kernel function is under way."""
    model, packing = made.native.compiled.model, made.native.compiled.packing
    resting = np.ones(len(states), bool)
    pc, current = model.field("task", "pc"), model.field("cpu", "current")
    on_cpu = [_values(packing, states, "cpu", c, current.name) for c in range(model.counts["cpu"])]
    for cpu in range(model.counts["cpu"]):
        resting &= _values(packing, states, "cpu", cpu, "pc") == 0
    for task in range(model.tasks):
        where = _values(packing, states, "task", task, pc.name)
        runs = np.any([each == task + 1 for each in on_cpu], axis=0)
        resting &= np.isin(where, (FREE, USER, KERNEL_THREAD)) | (
            (where == model.return_pc) & ~runs
        )
    return resting


def _values(packing: Packing, states: States, record: str, slot: int, name: str) -> States:
    """Return the value of one field in every state."""
    place = packing.places[packing.model.field(record, name)]
    wanted, position = packing.word(record, slot, place.word), 0
    for part in packing.parts:
        if part.word == wanted:
            break
        position += part.width
    index, shift = divmod(position + place.shift, _WORD)
    values = states[:, index] >> np.uint64(shift)
    if shift + place.width > _WORD:
        values |= states[:, index + 1] << np.uint64(_WORD - shift)
    return values & np.uint64((1 << place.width) - 1)


def _images(made: Made, states: States) -> States:
    """Return what each state is renamed to."""
    move = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    canonical = move(made.native.compiled.address("canonical_stored"))
    result = np.ascontiguousarray(states)
    start, size = result.ctypes.data, result.strides[0]
    for row in range(len(result)):
        canonical(start + row * size, start + row * size)
    return result


def _distinct(states: States) -> NDArray[np.void]:
    """Return the different rows, each as one value that can be compared."""
    rows = np.ascontiguousarray(states)
    return np.unique(rows.view(np.dtype((np.void, rows.strides[0]))).ravel())


def _example(made: Made, rows: NDArray[np.void]) -> str:
    """Return the first of the states: the fields that are not 0."""
    packing = made.native.compiled.packing
    words = np.frombuffer(rows[0].tobytes(), np.uint64)
    stored = made.native.stored([int(word) for word in words])
    values = packing.values(made.native.unpack(stored))
    local = {(f.record, f.name) for f in packing.model.fields if f.local}
    shown = [
        f"{record}.{name}={values[record, name]}"
        for record, name in values
        if any(values[record, name]) and (record, name) not in local
    ]
    return "such as " + " ".join(shown)
