"""Checks a certificate: the set holds the initial state, is closed, and violates nothing.

Two passes over the states. The first checks the specification in each and computes its key; the
second computes all successors of each and looks their keys up among those of the first pass.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.certify.errors import LimitError, Refuted, UnacceptableError
from iopermit.certify.events import Events
from iopermit.certify.index import Index, sort_keys
from iopermit.certify.initial import initial_state
from iopermit.certify.kernel import build
from iopermit.certify.language.source import load
from iopermit.certify.members import Members, Stored
from iopermit.certify.names import Keys, Names
from iopermit.certify.specification import Specification
from iopermit.engine.certificate import (
    CertificateError,
    Header,
    read_header,
    source_digest,
)
from iopermit.engine.interruption import SIGNALS
from iopermit.system.events import event_named
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.certify.state import Table

_PART: Final = 1 << 15
"""States that are handled at once."""
_WORTH_PROCESSES: Final = 1 << 17
_REDUCTIONS: Final = frozenset({"symmetry", "counters"})

Progress = Callable[[str, int, int], None]
"""Told which pass it is, how many states it has done, and of how many."""


@dataclass(frozen=True)
class Certified:
    """What became of checking a certificate."""

    header: Header
    scenario: Scenario
    refutation: str
    """What is wrong; empty: it is verified, unless a limit was reached."""
    limit: str
    """The limit that was reached, if one was."""
    member: int
    """The number of the state in the file where that shows; -1: none in particular."""
    members: int
    """States of the set, names apart."""
    transitions: int
    seconds: float
    processes: int

    @property
    def verified(self) -> bool:
        """Whether it proves that the design holds."""
        return not (self.refutation or self.limit)


def scenario_of(header: Header) -> Scenario:
    """Return the scenario of a certificate. Raises UnacceptableError."""
    try:
        events = frozenset(map(event_named, header.events))
        return Scenario(header.cpus, header.tasks, header.longs, events)
    except ValueError as error:
        raise UnacceptableError(str(error)) from error


class Checker:
    """Checks parts of one certificate."""

    def __init__(self, file: Path, header: Header, start: int, design: str) -> None:
        """Interpret the design.

        Raises:
            UnacceptableError: the file does not fit the design, or cannot be interpreted.
        """
        found = load(design or header.design, header.design_class, header.options)
        if source_digest(found) != header.source:
            raise UnacceptableError(
                f"the source of {header.design} is not the one that was certified"
            )
        unknown = set(header.reductions) - _REDUCTIONS
        if unknown:
            raise UnacceptableError(f"the reduction {min(unknown)!r} cannot be checked")
        self.header = header
        self.scenario = scenario_of(header)
        kernel = build(found, self.scenario)
        self.specification = Specification(kernel)
        self.events = Events(kernel, self.specification)
        self.members = Members(header, kernel)
        self.names = Names(
            kernel,
            self.members.widths,
            symmetry="symmetry" in header.reductions,
            numbers="counters" in header.reductions,
        )
        self.kernel = kernel
        shape = (header.states, header.words)
        self._states: Stored = (
            np.memmap(file, "<u8", "r", start, shape) if header.states else np.zeros(shape, "<u8")
        )

    def _table(self, first: int, last: int) -> Table:
        return self.members.table(np.array(self._states[first:last], np.uint64))

    def keys(self, first: int, last: int) -> Keys:
        """Return the keys of states that violate nothing. Raises Refuted if one does."""
        with _member_of(first):
            table = self._table(first, last)
            self.specification.check(table)
            keys, lost = self.names.keys(table)
            if lost.any():
                raise UnacceptableError("a state has a value that its field has no room for")
            return keys

    def successors(self, first: int, last: int, index: Index) -> int:
        """Check that the successors of states are in the set; return how many there are."""
        count = 0
        with _member_of(first):
            for found in self.events.after(self._table(first, last)):
                self.names.clear_dead(found.table)
                keys, lost = self.names.keys(found.table)
                missing = lost | index.lacks(keys)
                if missing.any():
                    member = int(found.members[int(np.argmax(missing))])
                    message = f"a successor of a state is not in the set: {found.how}"
                    raise Refuted(message, member)
                count += len(keys)
        return count

    def check_initial(self, index: Index) -> None:
        """Raise Refuted unless the initial state is in the set."""
        table = initial_state(self.kernel)
        self.names.clear_dead(table)
        self.specification.check(table)
        keys, lost = self.names.keys(table)
        if lost.any() or index.lacks(keys).any():
            raise Refuted("the initial state is not in the set")


@contextlib.contextmanager
def _member_of(first: int) -> Iterator[None]:
    """Let the number of a member in a part become that in the certificate."""
    try:
        yield
    except Refuted as refuted:
        raise Refuted(str(refuted), first + max(refuted.member, 0)) from refuted


# What a process of its own does.

_process: dict[str, object] = {}


def _start(file: Path, design: str) -> None:
    # Ctrl-C reaches every process; the first one ends the others.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    header, start = read_header(file, checked=True)
    _process["checker"] = Checker(file, header, start, design)


def _keys_of(first: int, last: int, target: Path) -> int:
    checker = _process["checker"]
    assert isinstance(checker, Checker)
    keys = np.load(target, mmap_mode="r+")
    keys[first:last] = checker.keys(first, last)
    return last - first


def _successors_of(first: int, last: int, directory: Path) -> int:
    checker = _process["checker"]
    assert isinstance(checker, Checker)
    if "index" not in _process:
        _process["index"] = Index(directory)
    index = _process["index"]
    assert isinstance(index, Index)
    return checker.successors(first, last, index)


def certify(
    file: Path,
    *,
    design: str = "",
    processes: int = 0,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Certified:
    """Check a certificate.

    Args:
        file: the certificate.
        design: the id or file of the design, if it is not where it was.
        processes: how many to use; 0: one for each CPU.
        timeout: seconds after which to give up.
        progress: is told how far it is.

    Raises:
        UnacceptableError: it cannot be read, or its design cannot be interpreted.
    """
    started = time.monotonic()
    try:
        header, start = read_header(file)
    except CertificateError as error:
        raise UnacceptableError(f"{file}: {error}") from error
    checker = Checker(file, header, start, design)
    count = processes or len(os.sched_getaffinity(0))
    if header.states < _WORTH_PROCESSES:
        count = 1
    deadline = None if timeout is None else started + timeout
    refutation, limit, member, members, transitions = "", "", -1, 0, 0
    with tempfile.TemporaryDirectory(prefix="iopermit-") as directory:
        work = _Work(checker, file, design, Path(directory), count)
        with work.pool() as pool:
            try:
                members, transitions = work.run(pool, deadline, progress)
            except Refuted as refuted:
                refutation, member = str(refuted), refuted.member
            except LimitError as error:
                limit = str(error)
            except BrokenProcessPool:
                limit = "a process of the check ended without a result: out of memory?"
    return Certified(
        header,
        checker.scenario,
        refutation,
        limit,
        member,
        members,
        transitions,
        time.monotonic() - started,
        count,
    )


@dataclass
class _Work:
    checker: Checker
    file: Path
    design: str
    directory: Path
    processes: int

    @contextlib.contextmanager
    def pool(self) -> Iterator[concurrent.futures.Executor | None]:
        """Provide processes, or None if this one does all."""
        if self.processes == 1:
            yield None
            return
        context = multiprocessing.get_context("spawn")
        pool = concurrent.futures.ProcessPoolExecutor(
            self.processes, context, _start, (self.file, self.design)
        )
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)

    def run(
        self,
        pool: concurrent.futures.Executor | None,
        deadline: float | None,
        progress: Progress | None,
    ) -> tuple[int, int]:
        """Do both passes; return the number of members and of transitions."""
        _process["checker"] = self.checker
        _process.pop("index", None)
        states = self.checker.header.states
        if not states:
            raise Refuted("the initial state is not in the set, which is empty")
        target = self.directory / "unsorted.npy"
        shape = (states, self.checker.names.words)
        np.lib.format.open_memmap(target, "w+", np.uint64, shape).flush()
        tell = _Teller(progress, states, deadline)
        tell.each("states", self._parts(pool, _keys_of, target))
        members = sort_keys(np.load(target, mmap_mode="r"), self.directory)
        target.unlink()
        self.checker.check_initial(Index(self.directory))
        done = self._parts(pool, _successors_of, self.directory)
        return members, tell.each("successors", done)

    def _parts(
        self,
        pool: concurrent.futures.Executor | None,
        work: Callable[[int, int, Path], int],
        where: Path,
    ) -> Iterator[tuple[int, int]]:
        """Do the work for all parts; yield how many states are done, and what work returned."""
        states = self.checker.header.states
        parts = [(n, min(n + _PART, states)) for n in range(0, states, _PART)]
        if pool is None:
            for first, last in parts:
                yield last - first, work(first, last, where)
            return
        futures = {pool.submit(work, *part, where): part for part in parts}
        for future in concurrent.futures.as_completed(futures):
            first, last = futures[future]
            yield last - first, future.result()


@dataclass
class _Teller:
    progress: Progress | None
    states: int
    deadline: float | None

    def each(self, name: str, done: Iterator[tuple[int, int]]) -> int:
        """Follow the work, tell about it, and add up its results."""
        total = finished = 0
        for states, result in done:
            finished, total = finished + states, total + result
            if self.progress is not None:
                self.progress(name, finished, self.states)
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise LimitError("the time limit was reached")
        return total
