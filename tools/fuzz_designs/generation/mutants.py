"""Mutants of the designs that come with iopermit, as random cases."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.case import Case

from iopermit.designs import find
from iopermit.search.mutation import HOLDS_UNDER
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.mutate import mutations

if TYPE_CHECKING:
    import random

    from iopermit.translate.frontend.mutate import Mutation

_SIZES: Final = {(1, 1, 1): (4, 7), (2, 1, 1): (3, 5), (1, 2, 1): (1, 2), (1, 1, 2): (3, 4)}
"""CPUs, tasks, longs; how many events besides ioperm leave a search short."""


def mutant(rng: random.Random) -> Case:
    """Return a mutant of a design that holds, in a small scenario of events under which it does."""
    name = rng.choice(sorted(HOLDS_UNDER))
    mutation = rng.choice(_mutations(name))
    size = rng.choice(sorted(_SIZES))
    of_cpus = {Event.CPU_OFFLINE} if size[0] > 1 else set()
    known = sorted(HOLDS_UNDER[name] - {Event.IOPERM} | of_cpus, key=lambda e: e.name)
    events = rng.sample(known, min(len(known), rng.choice(_SIZES[size])))
    about = f"{name}, {mutation.method}: {mutation.statement}: {mutation.change}"
    return Case(_text(mutation), Scenario(*size, frozenset({Event.IOPERM, *events})), about)


@functools.cache
def _mutations(name: str) -> list[Mutation]:
    return mutations(find(name))


def _text(mutation: Mutation) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mutant.py"
        mutation.write(file)
        return file.read_text(encoding="utf-8")
