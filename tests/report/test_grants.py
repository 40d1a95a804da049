"""Tests of iopermit.report.grants: sets of ports, and who was granted what."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from iopermit.engine.trace import SelectedMap, TraceStep, TssState
from iopermit.report.grants import EVERY_PORT, GrantHistory, mask, ranges, request_of
from iopermit.report.operations import TracedOperation
from iopermit.system.bitmap import PortRange
from iopermit.system.execution import CONTINUE

PORTS = st.sets(st.integers(0, 65535), max_size=50)


@given(PORTS)
def test_ranges_and_mask_are_inverse(ports: set[int]) -> None:
    """Any set of ports survives the way from a mask to ranges and back."""
    bits = sum(1 << port for port in ports)
    assert mask(ranges(bits)) == bits


@given(PORTS)
def test_ranges_are_maximal_and_ascending(ports: set[int]) -> None:
    """Between two ranges there is at least one port that is in neither."""
    pairs = ranges(sum(1 << port for port in ports))
    assert all(after > last + 1 for (_, last), (after, _) in itertools.pairwise(pairs))
    assert sum(last - first + 1 for first, last in pairs) == len(ports)


def test_every_port_is_one_range() -> None:
    """All ports are the range from 0 to 65535."""
    assert ranges(EVERY_PORT) == ((0, 65535),)


def operation(event: str, task: str = "A", **values: object) -> TracedOperation:
    """Return an operation that starts with an event."""
    tss = TssState(SelectedMap.PAST_LIMIT, (), limit_low=False)
    step = TraceStep(number=1, cpu=0, task=task, event=event, values=values, before=tss, tss=(tss,))
    return TracedOperation(step, [step])


def ioperm(first: int, count: int, *, turn_on: bool, task: str = "A") -> TracedOperation:
    """Return a call of ioperm."""
    return operation("ioperm", task, ports=PortRange(first, count), turn_on=turn_on)


def test_calls_are_understood() -> None:
    """The calls of ioperm and iopl tell which ports they are about; others tell nothing."""
    on = request_of(ioperm(128, 2, turn_on=True))
    off = request_of(operation("iopl", level=0))
    assert on is not None
    assert off is not None
    assert (ranges(on.ports), on.turn_on) == (((128, 129),), True)
    assert (off.ports, off.turn_on, off.is_iopl) == (EVERY_PORT, False, True)
    assert request_of(operation("exit")) is None


def test_grants_follow_calls() -> None:
    """Grants are what ioperm and iopl gave, what a child inherits, minus what was dropped."""
    grants = GrantHistory()
    grants.finish(ioperm(0, 8, turn_on=True))
    grants.finish(ioperm(2, 2, turn_on=False))
    grants.finish(operation("fork", child=1, fails=False))
    grants.finish(operation("fork-fails", child=2, fails=True))
    grants.finish(operation("iopl", level=3))
    assert ranges(grants.of("B")) == ((0, 1), (4, 7))
    assert grants.of("C") == 0
    assert grants.of("A") == EVERY_PORT
    grants.finish(operation("iopl", level=0))
    grants.finish(operation("exit", "B"))
    assert ranges(grants.of("A")) == ((0, 1), (4, 7))
    assert grants.of("B") == 0


def test_a_call_that_fails_grants_nothing() -> None:
    """An error leaves the grants as they were."""
    grants = GrantHistory()
    failed = ioperm(0, 8, turn_on=True)
    failed.steps.append(replace(failed.first, event=CONTINUE, error="EPERM"))
    grants.finish(failed)
    assert grants.of("A") == 0


def test_owner_has_all_of_the_ports() -> None:
    """A task owns ports only if it was granted all of them; the running task is left out."""
    grants = GrantHistory()
    grants.finish(ioperm(0, 8, turn_on=True))
    grants.finish(ioperm(0, 4, turn_on=True, task="B"))
    assert grants.owners(0xFF, "C") == ["A"]
    assert grants.owners(0x0F, "A") == ["B"]
