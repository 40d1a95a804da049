"""Divides the 65,536 ports into the few columns of a drawing: in each all ports are alike."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from iopermit.report.grants import PORTS, ranges, request_of
from iopermit.report.html.model import PortColumn
from iopermit.report.operations import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import Ranges, TraceStep, Violation


def port_columns(trace: Sequence[TraceStep], violation: Violation | None) -> tuple[PortColumn, ...]:
    """Return the columns for every state of a schedule, lowest ports first."""
    edges = {0, PORTS}
    for some in _all_ranges(trace, violation):
        edges.update(edge for first, last in some for edge in (first, last + 1))
    ordered = sorted(edges)
    return tuple(PortColumn(first, end - 1) for first, end in itertools.pairwise(ordered))


def _all_ranges(trace: Sequence[TraceStep], violation: Violation | None) -> Iterator[Ranges]:
    if violation is not None:
        yield from (violation.ports, violation.allowed, violation.granted)
    for step, operation in operations(trace):
        yield from (tss.clear for tss in (step.before, *step.tss))
        request = request_of(operation)
        if request is not None:
            yield ranges(request.ports)


def by_column(columns: Sequence[PortColumn], ports: int) -> tuple[bool, ...]:
    """Return for each column whether its ports are in a mask."""
    return tuple(bool(ports >> column.first & 1) for column in columns)
