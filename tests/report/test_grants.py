"""Tests of iopermit.report.grants: sets of ports, and who was granted what."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from iopermit.report.grants import EVERY_PORT, Grants, call_of, mask, ranges
from iopermit.report.operations import Operation

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


def test_calls_are_understood() -> None:
    """The calls of ioperm and iopl tell which ports they are about; others tell nothing."""
    on = call_of(Operation("ioperm", "A", "ioperm(128, 2, 1)"))
    off = call_of(Operation("iopl", "A", "iopl(0)"))
    assert on is not None
    assert off is not None
    assert (ranges(on.ports), on.turn_on) == (((128, 129),), True)
    assert (off.ports, off.turn_on, off.is_iopl) == (EVERY_PORT, False, True)
    assert call_of(Operation("exit", "A", "exit()")) is None


def test_grants_follow_calls() -> None:
    """Grants are what ioperm and iopl gave, what a child inherits, minus what was dropped."""
    grants = Grants()
    grants.finish(Operation("ioperm", "A", "ioperm(0, 8, 1)"))
    grants.finish(Operation("ioperm", "A", "ioperm(2, 2, 0)"))
    grants.finish(Operation("fork", "A", "fork()", arguments={"child": 1}))
    grants.finish(Operation("iopl", "A", "iopl(3)"))
    assert ranges(grants.of("B")) == ((0, 1), (4, 7))
    assert grants.of("A") == EVERY_PORT
    grants.finish(Operation("iopl", "A", "iopl(0)"))
    grants.finish(Operation("exit", "B", "exit()"))
    assert ranges(grants.of("A")) == ((0, 1), (4, 7))
    assert grants.of("B") == 0


def test_owner_has_all_of_the_ports() -> None:
    """A task owns ports only if it was granted all of them; the running task is left out."""
    grants = Grants()
    grants.finish(Operation("ioperm", "A", "ioperm(0, 8, 1)"))
    grants.finish(Operation("ioperm", "B", "ioperm(0, 4, 1)"))
    assert grants.owners(0xFF, "C") == ["A"]
    assert grants.owners(0x0F, "A") == ["B"]
