"""What the generators made by `iopermit.translate.stepping.generators` call while they run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from iopermit.system.crash import OutOfRange
from iopermit.system.heap import Freed
from iopermit.system.position import CallFrame, Position, Stack, Steps
from iopermit.system.records import Record

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


def _references(live: frozenset[str], variables: dict[str, Any]) -> tuple[Record, ...]:
    return _records(value for name, value in variables.items() if name in live)


def _records(values: Iterable[object]) -> tuple[Any, ...]:
    # type(), not isinstance(): freed memory does not tell its __class__.
    return tuple(value for value in values if issubclass(type(value), (Record, Freed)))


def stop(sites: tuple[Position, ...], site: int, variables: dict[str, Any]) -> Stack:
    """Return what is handed out before a step: where it is, and the records still needed."""
    position = sites[site]
    return (CallFrame(position, _references(position.live, variables)),)


def call(sites: tuple[Position, ...], site: int, variables: dict[str, Any], inner: Steps) -> Steps:
    """Run a called method, with the call in front of each call chain that it hands out."""
    frames = stop(sites, site, variables)
    while True:
        try:
            stack = next(inner)
        except StopIteration as end:
            return end.value
        yield (*frames, *stack)


def bulk(
    sites: tuple[Position, ...],
    site: int,
    variables: dict[str, Any],
    inner: Generator[None, None, Any],
    owners: tuple[object, ...],
) -> Steps:
    """Run a bulk operation, numbering its longs."""
    (frame,) = stop(sites, site, variables)
    part = 0
    while True:
        try:
            next(inner)
        except StopIteration as end:
            return end.value
        position = replace(frame.position, part=part)
        yield (CallFrame(position, (*frame.references, *_records(owners))),)
        part += 1


def difference(left: int, right: int) -> int:
    """Return `left` - `right`; a negative difference is a crash."""
    if left < right:
        message = f"{left} - {right} is negative"
        raise OutOfRange(message)
    return left - right
