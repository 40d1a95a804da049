"""Tests of iopermit.scale.cluster.partition_locks: two owners never have one partition."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from iopermit.scale.cluster import partition_locks
from iopermit.scale.cluster.partition_locks import PartitionLocks
from iopermit.scale.errors import ScaleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Let another process have partitions 2 and 3; give what ends it."""
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        locks = PartitionLocks(tmp_path, [2, 3])
        os.write(tell, b"x")
        signal.pause()
        del locks
        os._exit(0)
    os.read(ready, 1)
    ended: list[int] = []

    def end() -> None:
        if not ended:
            os.kill(child, signal.SIGKILL)
            ended.append(os.waitpid(child, 0)[0])

    yield end
    end()
    os.close(ready)
    os.close(tell)


def test_what_another_owner_has_is_refused(
    tmp_path: Path, other: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the other process lives its partitions are its own; those beside them are free."""
    monkeypatch.setattr(partition_locks, "_PATIENCE", 0.1)
    PartitionLocks(tmp_path, [1, 4])
    with pytest.raises(ScaleError, match="another process still writes partition 3"):
        PartitionLocks(tmp_path, [1, 3])
    other()


def test_an_owner_waits_until_the_lost_one_is_gone(
    tmp_path: Path, other: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process leaves nothing locked, and who waits for its partitions gets them."""
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        other()

    monkeypatch.setattr(time, "sleep", wait)
    PartitionLocks(tmp_path, [1, 2, 3])
    assert waited
