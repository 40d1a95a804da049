"""System calls at random never end a run with a fault of iopermit."""

from __future__ import annotations

import os
import random

import pytest
from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.running import iopermit_run

SEED = int(os.environ.get("IOPERMIT_FUZZ_SEED", random.SystemRandom().randrange(1 << 31)))
"""Fresh for each run of the tests, and shown by each failure."""


@pytest.mark.parametrize(
    "option", [(), ("--strace",), ("--user",)], ids=["plain", "strace", "user"]
)
@pytest.mark.parametrize("number", range(2))
def test_random_system_calls(option: tuple[str, ...], number: int) -> None:
    """The program comes to its end, whatever it asks for; iopermit does not fail."""
    seed = SEED + number
    program = compiled(PROGRAMS / "fuzz_calls.c", "-static")
    ran = iopermit_run(*option, "--timeout", "100", program, str(seed), "1500")
    assert ran.status == 0, f"IOPERMIT_FUZZ_SEED={seed}: {ran.errors[-1000:]}"
