"""Tests of the limits of a search."""

import time

from iopermit.engine.limits import Limits


def test_what_is_left_of_the_time() -> None:
    """Work that began earlier has less time left, never less than none; other limits stay."""
    now = time.monotonic()
    left = Limits(max_states=7, timeout=1000.0).after(now - 10)
    assert left.max_states == 7
    assert left.timeout is not None
    assert 900 < left.timeout <= 990
    assert Limits(timeout=1.0).after(now - 10).timeout == 0.0
    assert Limits(max_memory=5).after(now - 10) == Limits(max_memory=5)
