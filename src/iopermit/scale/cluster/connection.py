"""Connects to a cluster of Ray, or starts a local one."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ray

from iopermit.scale.errors import ScaleError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL: Final = "auto"
"""The address that stands for a cluster of this machine alone, which ends with the search."""


@contextlib.contextmanager
def connected(address: str, threads: int) -> Iterator[None]:
    """Be connected to a cluster while the block runs; nothing is printed to standard output then.

    Args:
        address: ``auto``, or HOST:PORT of the head of a cluster.
        threads: how many CPUs an actor needs.

    Raises:
        ScaleError: there is no cluster, or it has another version of Ray or Python.
    """
    if ray.is_initialized():
        yield
        return
    # Ray would send figures about its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A thread of Ray prints to standard output that a worker was lost. That is no result of ours.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            with _termination_kept():
                _connect(address, threads)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ScaleError(f"cannot connect to the cluster at {address}: {reason}") from error
        try:
            yield
        finally:
            ray.shutdown()


def _connect(address: str, threads: int) -> None:
    if address == LOCAL:
        ray.init(
            address="local",
            num_cpus=threads,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    else:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)


@contextlib.contextmanager
def _termination_kept() -> Iterator[None]:
    """Give SIGTERM back to whom it belonged: `ray.init` sets a handler that calls `sys.exit`.

    Raises:
        KeyboardInterrupt: that handler was called meanwhile.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
