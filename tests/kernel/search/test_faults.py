"""Tests of iopermit.kernel.search.faults: faults of a tree, known again in another version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iopermit.kernel.search.faults import TreeFault

LEAK = TreeFault("leak", (("give_up", "clear_flag();"),), frozenset({"ioperm", "switch"}))


def test_a_fault_by_more_events_is_the_same() -> None:
    """A fork before it changes nothing of where and how it happens."""
    assert LEAK.explains(LEAK)
    assert LEAK.explains(replace(LEAK, events=LEAK.events | {"fork"}))


@pytest.mark.parametrize(
    "other",
    [
        replace(LEAK, kind="loss"),
        replace(LEAK, where=()),
        replace(LEAK, where=(("give_up", "invalidate();"),)),
        replace(LEAK, events=frozenset({"ioperm"})),
    ],
)
def test_another_kind_place_or_fewer_events_are_another_fault(other: TreeFault) -> None:
    """A leak that needs no switch, or from another statement, is not the known one."""
    assert not LEAK.explains(other)
