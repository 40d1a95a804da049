"""What a patch is compared with, as it is kept."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.support.report.verdicts import CRASH, HOLDS, UNDETERMINED

from iopermit.kernel.check import Examined
from iopermit.kernel.outcome import TreeOutcome
from iopermit.kernel.search.faults import TreeFault

STATEMENTS = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)
FAULTS = st.builds(TreeFault, st.text(), STATEMENTS, st.frozensets(st.text(), max_size=3))


@given(st.frozensets(FAULTS, max_size=4))
def test_nothing_is_lost_of_what_is_kept(faults: frozenset[TreeFault]) -> None:
    """Whatever the faults are, what was saved is what is read, and equal ones have equal bytes."""
    one = TreeOutcome.of(Examined(CRASH, faults))
    assert TreeOutcome.from_saved(one.saved()) == one
    assert TreeOutcome.from_saved(one.saved()).saved() == one.saved()


def test_what_is_to_be_known_of_a_verdict() -> None:
    """The message of the violation, or the reason of no verdict, or nothing."""
    assert CRASH.violation is not None
    shown = [TreeOutcome.of(Examined(one, frozenset())) for one in (CRASH, HOLDS)]
    assert [(one.kind, one.message) for one in shown] == [
        ("crash", CRASH.violation.message),
        (None, ""),
    ]
    open_ = TreeOutcome.of(Examined(replace(UNDETERMINED, reason="why"), frozenset()))
    assert (open_.verdict, open_.message) == ("undetermined", "why")
