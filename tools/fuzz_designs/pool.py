"""Runs cases in worker processes that live on, each case with limits of time and memory."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.judging.outcome import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import SpawnProcess

SECONDS: Final = 300
"""For one design; a worker that takes longer is ended, and that is a finding."""

MEMORY: Final = 6 << 30
"""Bytes of address space of a worker; most of what a search reserves it never touches."""

_YOUNG_OBJECTS: Final = 50_000
"""Objects that a worker makes between two looks for garbage among them."""

_LIFE: Final = 150
"""Designs after which a worker is replaced: machine code and syntax trees are never given back."""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    index: int
    started: float
    done: int = 0


def outcomes(
    work: Callable[[int], Outcome], indices: Iterable[int], jobs: int, seconds: float
) -> Iterator[Outcome]:
    """Yield the outcome of each index, in the order in which they end.

    None is begun after ``seconds``. A worker that dies or takes too long gives an internal error.
    """
    waiting, ends = deque(indices), time.monotonic() + seconds
    busy: list[_Worker] = []
    try:
        while True:
            while len(busy) < jobs and waiting and time.monotonic() < ends:
                busy.append(_start(work, waiting.popleft()))
            if not busy:
                return
            for worker in _ready(busy):
                outcome = _received(worker)
                yield outcome
                alive = worker.process.is_alive() and worker.done < _LIFE
                if alive and waiting and time.monotonic() < ends:
                    _give(worker, waiting.popleft())
                else:
                    busy.remove(worker)
                    _end(worker)
    finally:
        for worker in busy:
            _end(worker)


def _start(work: Callable[[int], Outcome], index: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs), daemon=True)
    process.start()
    theirs.close()
    worker = _Worker(process, mine, index, time.monotonic())
    _give(worker, index)
    return worker


def _give(worker: _Worker, index: int) -> None:
    worker.index, worker.started, worker.done = index, time.monotonic(), worker.done + 1
    worker.connection.send(index)


def _ready(busy: list[_Worker]) -> list[_Worker]:
    """Return workers that have answered, have died, or have had their time."""
    soonest = min(worker.started for worker in busy) + SECONDS - time.monotonic()
    answered = wait([worker.connection for worker in busy], max(0.0, soonest))
    late = time.monotonic() - SECONDS
    return [w for w in busy if w.connection in answered or w.started < late]


def _received(worker: _Worker) -> Outcome:
    try:
        if worker.connection.poll():
            outcome = worker.connection.recv()
            assert isinstance(outcome, Outcome)  # noqa: S101 - the worker sends nothing else
            return outcome
        problem = f"not finished after {SECONDS} s"
    except (EOFError, OSError):
        worker.process.join()
        problem = f"the worker ended with {worker.process.exitcode}"
    worker.process.kill()
    worker.process.join()
    spent = round(time.monotonic() - worker.started, 3)
    return Outcome(
        worker.index, "", "undetermined", findings=[Finding("internal", "none", problem)],
        seconds=spent,
    )  # fmt: skip


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.kill()
    worker.process.join()


def _serve(work: Callable[[int], Outcome], connection: Connection) -> None:
    """Do what comes through the connection until it is closed."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Nearly all that a model is made of lives until it is printed: looking for garbage there at
    # every 700 objects takes an eighth of the time.
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
    with tempfile.TemporaryDirectory() as cache:
        # What is compiled serves once; the user's own cache is not for it.
        os.environ["XDG_CACHE_HOME"] = cache
        try:
            while True:
                connection.send(work(connection.recv()))
        except (EOFError, BrokenPipeError, KeyboardInterrupt):
            return
