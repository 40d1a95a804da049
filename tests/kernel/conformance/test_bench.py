"""Tests of iopermit.kernel.conformance.bench: which accesses have to pass in user mode."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from iopermit.kernel.conformance.bench import Bench
from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.conformance.reference import ReferenceTask

if TYPE_CHECKING:
    from iopermit.kernel.conformance.single_cpu import SingleCpu

PORTS = 65536


def returned(task: ReferenceTask, *, has_end: bool, iopl: int = 0) -> None:
    """Let a task return on a CPU that allows all ports, and accesses behind them if no end does."""

    def allowed(width: int) -> object:
        passed = np.ones(PORTS, bool)
        if has_end:
            passed[PORTS + 1 - width :] = False
        return passed

    bench = object.__new__(Bench)
    bench.tasks, bench.steps = [task], []
    memory = SimpleNamespace(registers_of=lambda _: 0)
    cpu = SimpleNamespace(
        current=0, memory=memory, call=lambda *_: None, allowed=allowed, iopl=iopl
    )
    bench.cpu = cast("SingleCpu", cpu)  # a part of it is enough
    bench.return_to_user()


def test_iopl_3_refuses_no_access_that_begins_at_the_last_port() -> None:
    """With the level in the flags the map is not consulted; with a map its end has to refuse."""
    returned(ReferenceTask(level=3), has_end=False, iopl=3)
    returned(ReferenceTask(level=3), has_end=True)
    with pytest.raises(BrokenRule, match="may use ports 65535, which it was not granted"):
        returned(ReferenceTask(level=3), has_end=False)


def test_an_access_that_only_a_missing_end_of_the_map_lets_pass_is_a_leak() -> None:
    """Without port 0 granted, accesses past the last port have to be refused like all others."""
    with pytest.raises(BrokenRule, match="may use ports 0, which it was not granted"):
        returned(ReferenceTask(ports=(1 << PORTS) - 2), has_end=False)
