"""Runs the searches of several scenarios at the same time, each in a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from typing import TYPE_CHECKING, Any, Final, TypeVar

from iopermit.engine.facts import concerning
from iopermit.engine.interruption import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from iopermit.engine.interruption import Interruption

Result = TypeVar("Result")

_LOOK_AT_INTERRUPTION: Final = 0.2
"""Seconds of waiting between two looks at whether Ctrl-C was pressed."""


@contextlib.contextmanager
def started(
    tasks: Sequence[Callable[[], Result]], interruption: Interruption
) -> Iterator[list[Callable[[], Result]]]:
    """Start tasks in child processes; give functions that wait for their results.

    With a single processor nothing is started, and each is run when its result is asked for.
    What is still running at the end of the block is stopped. An exception of a task is raised
    where its result is asked for, and KeyboardInterrupt when Ctrl-C was noted meanwhile.
    """
    if (os.cpu_count() or 1) < 2:  # noqa: PLR2004 - one for this process, one for another
        yield list(tasks)
        return
    # A forked child has the loaded tree already; an emulator is made in the child.
    context = multiprocessing.get_context("fork")
    children = []
    try:
        for task in tasks:
            receiving, sending = context.Pipe(duplex=False)
            child = context.Process(target=_run, args=(task, sending), daemon=True)
            child.start()
            sending.close()
            children.append((child, receiving))
        yield [_waiting(receiving, interruption) for _, receiving in children]
    finally:
        for child, receiving in children:
            child.terminate()
            child.join()
            receiving.close()


def _run(task: Callable[[], Any], sending: Connection) -> None:
    for number in SIGNALS[1:]:
        # The parent takes note of these, and ends this process by one of them.
        signal.signal(number, signal.SIG_DFL)
    try:
        # Where it was raised does not go along with an exception.
        with concerning(lambda: {"raised": traceback.format_exc()}):
            result = task()
        sending.send((result, None))
    except KeyboardInterrupt:
        return
    except Exception as error:  # noqa: BLE001 - it is raised again in the parent
        sending.send((None, error))


def _waiting(receiving: Connection, interruption: Interruption) -> Callable[[], Any]:
    def result() -> Any:  # noqa: ANN401 - what the task returned
        while not receiving.poll(_LOOK_AT_INTERRUPTION):
            if interruption.requested:
                raise KeyboardInterrupt
        try:
            value, error = receiving.recv()
        except EOFError as lost:
            if interruption.requested:
                raise KeyboardInterrupt from lost
            message = "a search process ended without a result: out of memory?"
            raise MemoryError(message) from lost
        if error is not None:
            raise error
        return value

    return result
