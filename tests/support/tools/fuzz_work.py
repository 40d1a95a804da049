"""Work for the pool of the random designs: what answers, what dies, what never ends."""

from __future__ import annotations

import os
import time

from tools.fuzz_designs.judging.outcome import Outcome


def answer(index: int) -> Outcome:
    """Answer at once."""
    return Outcome(index, "answered", "holds")


def die_at_two(index: int) -> Outcome:
    """End the process without an answer for index 2."""
    if index == 2:
        os._exit(7)
    return answer(index)


def hang_at_one(index: int) -> Outcome:
    """Take for ever for index 1."""
    while index == 1:
        time.sleep(1)
    return answer(index)
