"""Tells whether a state was visited under other names of tasks and heap objects.

Which slot an object gets can depend on the order of steps that merging leaves out, but nothing
tells slots apart.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from iopermit.search.exploration.native import NativeFunctions
    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.model.model import Model

_MOST_RENAMINGS: Final = 5000
_LOOKED_AT: Final = 20
"""States that are looked for under other names; the first that is not found is reported."""


def really_missing(
    native: NativeFunctions, missing: NDArray[np.void], visited: NDArray[np.void]
) -> NDArray[np.void]:
    """Return those of the first missing states that were not visited under any names."""
    known = {row.tobytes() for row in visited}
    found = [
        row
        for row in missing[:_LOOKED_AT]
        if not any(image in known for image in renamed(native, row.tobytes()))
    ]
    return np.array(found, dtype=missing.dtype)


def renamed(native: NativeFunctions, stored: bytes) -> Iterator[bytes]:
    """Yield a stored state under all names of its tasks and heap objects, in stored form."""
    packing, model = native.compiled.packing, native.compiled.model
    words = [int(word) for word in np.frombuffer(stored, np.uint64)]
    values = packing.values(native.unpack(native.stored(words)))
    for permutation in itertools.islice(_permutations(model), _MOST_RENAMINGS):
        working = packing.working(_permuted(model, values, permutation))
        yield native.canonical(native.pack(working)).tobytes()


def _permutations(model: Model) -> Iterator[dict[str, tuple[int, ...]]]:
    """Yield new numbers for the slots of tasks, but for idle ones, and of each heap class."""
    idle = tuple(range(model.tasks, model.counts["task"]))
    choices = [[(*order, *idle) for order in itertools.permutations(range(model.tasks))]]
    choices += [list(itertools.permutations(range(model.counts[r]))) for r in model.heap]
    for chosen in itertools.product(*choices):
        yield dict(zip(("task", *model.heap), chosen, strict=True))


def _permuted(
    model: Model, values: InitialValues, permutation: dict[str, tuple[int, ...]]
) -> InitialValues:
    result: InitialValues = {}
    for field in model.fields:
        mine = list(values[field.record, field.name])
        if field.kind == "ref" and field.target in permutation:
            slots = permutation[field.target]
            mine = [slots[v - 1] + 1 if 0 < v <= len(slots) else v for v in mine]
        if field.record in permutation:
            moved = list(mine)
            for old, new in enumerate(permutation[field.record]):
                moved[new] = mine[old]
            mine = moved
        result[field.record, field.name] = mine
    return result
