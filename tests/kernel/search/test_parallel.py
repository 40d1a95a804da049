"""Searches in processes of their own."""

from __future__ import annotations

import os
import signal
import time

import pytest

from iopermit.engine.facts import concerning, facts_of
from iopermit.engine.interruption import Interruption
from iopermit.kernel.search.parallel import started


def _forbidden() -> int:
    message = "of a child"
    raise ValueError(message)


def test_results_come_in_order_of_the_tasks() -> None:
    """Each function gives the result of its own task, computed in another process."""
    with started([os.getpid, lambda: 7], Interruption()) as results:
        pid, seven = (result() for result in results)
    assert seven == 7
    assert pid != os.getpid() or (os.cpu_count() or 1) < 2


def test_an_exception_is_raised_where_the_result_is_asked_for() -> None:
    """What ends a task ends the one that waits for it, with the same exception."""
    with (
        started([_forbidden], Interruption()) as results,
        pytest.raises(ValueError, match="of a child"),
    ):
        results[0]()


def _concerned() -> int:
    with concerning(lambda: {"scenario": "of a child"}):
        return _forbidden()


def test_facts_come_along_with_an_exception() -> None:
    """What an exception of a task is about, and where it was raised, is known in the parent."""
    with (
        started([_concerned], Interruption()) as results,
        pytest.raises(ValueError, match="of a child") as caught,
    ):
        results[0]()
    facts = facts_of(caught.value)
    assert facts["scenario"] == "of a child"
    assert (os.cpu_count() or 1) < 2 or "in _forbidden" in facts["raised"]


def test_what_still_runs_at_the_end_is_stopped() -> None:
    """Leaving the block does not wait for tasks that nobody asked about."""
    begun = time.monotonic()
    with started([lambda: time.sleep(60)], Interruption()):
        pass
    assert time.monotonic() - begun < 30


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="a single processor: there are no children")
def test_ctrl_c_ends_the_waiting() -> None:
    """Who waits for a child waits no longer when Ctrl-C was noted."""
    begun, interruption = time.monotonic(), Interruption()
    with interruption, started([lambda: time.sleep(60)], interruption) as results:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            results[0]()
    assert time.monotonic() - begun < 30
