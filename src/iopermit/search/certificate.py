"""Writes the states that a search visited as a certificate, for a checker that trusts no search."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from iopermit.designs import designs
from iopermit.engine.certificate import (
    Header,
    StoredField,
    StoredPosition,
    source_digest,
    write_certificate,
)
from iopermit.search.compilation import compiled, translated
from iopermit.search.exploration.design_search import DesignSearch
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.translate.analyses.reductions import COUNTERS, REDUCTIONS, SYMMETRY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from iopermit.search.exploration.visited import Partition
    from iopermit.search.problem import Problem
    from iopermit.system.design import Design
    from iopermit.translate.model.model import Step
    from iopermit.translate.model.nodes import Field
    from iopermit.translate.native.jit import Compiled
    from iopermit.translate.native.packing import Packing

_OFF: Final = tuple(each for each in REDUCTIONS if each not in {SYMMETRY, COUNTERS})
"""The reductions after which the visited set would not be closed under single steps."""

_PORTION: Final = 1 << 16
"""States that are written at once."""


class NoCertificateError(Exception):
    """There is no certificate: ``str()`` says why."""


def certify_search(file: Path, problem: Problem, options: tuple[str, ...] = ()) -> int:
    """Search a problem step by step and write the visited set; return its number of states.

    Only renaming (symmetry, sequence numbers) stays on, as far as the problem has it on.

    Args:
        file: where to write.
        problem: the design in its scenario.
        options: the switches of the design that are set.

    Raises:
        NoCertificateError: a limit was reached, or there is a violation.
        OSError: the file cannot be written.
    """
    reductions = problem.settings.reductions.without(*_OFF)
    settings = replace(problem.settings, reductions=reductions, exhaustive=False, every=False)
    source = translated(replace(problem, settings=settings))
    functions = NativeFunctions(compiled(source, ()))
    control = problem.control.about(problem.scenario.size).again()
    search = DesignSearch(functions.compiled, control, settings.threads)
    result = search.run(initial_state(functions, source.initial))
    if not result.exhausted or result.violations:
        found = f"without merging of steps there is a {', '.join(result.violations)}"
        raise NoCertificateError(found if result.ending is None else result.ending.reason)
    header = header_of(problem, options, functions.compiled)
    states = sum(p.record.count for p in search.partitions)
    write_certificate(file, replace(header, states=states), _states(search.partitions))
    return states


def header_of(problem: Problem, options: tuple[str, ...], compiled: Compiled) -> Header:
    """Return what a certificate says about itself, but for the number of states."""
    packing, on, model = compiled.packing, compiled.reductions, compiled.model
    design, scenario = problem.design, problem.scenario
    return Header(
        design=_name(design),
        design_class=design.__name__,
        options=options,
        source=source_digest(design),
        cpus=scenario.cpus,
        tasks=scenario.tasks,
        longs=scenario.longs,
        events=tuple(sorted(event.name for event in scenario.events)),
        reductions=tuple(each.name for each in (SYMMETRY, COUNTERS) if on.has(each)),
        states=0,
        words=packing.stored_words,
        fields=tuple(_field(f, packing) for f in model.fields if f != model.kernel.bad),
        positions=tuple(_position(step) for step in model.steps.values()),
    )


def _name(design: type[Design]) -> str:
    """Return the id of a known design, or the file of another one."""
    known = designs().get(design.id)
    return design.id if known and issubclass(design, known) else inspect.getfile(design)


def _states(partitions: Sequence[Partition]) -> Iterator[bytes]:
    for each in partitions:
        for first in range(0, each.record.count, _PORTION):
            yield each.states(first, min(first + _PORTION, each.record.count))


def _field(field: Field, packing: Packing) -> StoredField:
    name = "at" if field.name == "pc" else field.name
    slots = range(packing.model.counts[field.record])
    offsets = tuple(_offset(packing, field, slot) for slot in slots)
    return StoredField(field.record, name, field.width, offsets)


def _offset(packing: Packing, field: Field, slot: int) -> int:
    """Return the first bit of a field in the stored form; -1: it is not stored."""
    place = packing.places[field]
    word, position = packing.word(field.record, slot, place.word), 0
    for part in packing.parts:
        if part.word == word:
            return position + place.shift
        position += part.width
    return -1


def _position(step: Step) -> StoredPosition:
    places = () if step.site is None else (*step.calls, step.site)
    path = tuple((site.function, site.line, site.column) for site in places)
    return StoredPosition(step.pc, path, step.label)
